// What multiplies the gradients, and how many updates in a row they have been finite.
struct LossScale {
  float scale, finite;
};

extern "C" {

__global__ void scaleGradient(const T* dy, const LossScale* state, T* scaled, i64 count) {
  const float scale = state->scale;
  for (i64 i = globalThread(); i < count; i += globalThreads()) scaled[i] = fromFloat<T>(scale * toFloat(dy[i]));
}

// One thread. The scale stays finite, or nothing would ever be again.
__global__ void unscaleGradients(const float* scalars, const float* norm, float* unscaled, float* unscaledNorm,
                                 LossScale* state, float interval) {
  const float scale = state->scale;
  for (int i = 0; i < 4; ++i) unscaled[i] = scalars[i];
  unscaled[1] = scalars[1] / scale;
  *unscaledNorm = *norm / scale;
  if (!isFinite(*norm)) {
    state->scale = 0.5f * scale;
    state->finite = 0;
  } else if (state->finite + 1 < interval) {
    state->finite += 1;
  } else {
    if (isFinite(2 * scale)) state->scale = 2 * scale;
    state->finite = 0;
  }
}

}  // extern "C"
