// Updates of one tensor in place, in float. The parameter and what is kept from step to step are f32, the
// gradient is of the element type. Every thread takes four neighbours, the last ones singly.

constexpr unsigned threads = 256;

// What all optimizers have.
struct Step {
  const float *scalars, *norm;
  unsigned count;
  float rateScale, weightDecay, maxNorm;
};

struct Factors {
  float rate, gradient;
};

// Whether anything is to change.
__device__ inline bool factorsOf(const Step& step, Factors& factors) {
  const float norm = *step.norm;
  if (!isFinite(norm)) return false;
  factors.rate = step.scalars[0] * step.rateScale;
  factors.gradient = step.scalars[1];
  if (step.maxNorm != 0)
    factors.gradient *= fminf(1.f, step.maxNorm / (factors.gradient * norm + 1e-6f));
  return true;
}

// Calls update(p, g, s, t) for every element of the parameter, the gradient and up to two states.
template <class Update>
__device__ inline void updateAll(const Step& step, float* parameter, const Element* gradient, float* first,
                                 float* second, const Update& update) {
  f32 *p = (f32*)parameter, *s = (f32*)first, *t = (f32*)second;
  const unsigned whole = step.count / 4;
  for (unsigned v = firstIndex(); v < whole; v += indexStep()) {
    const unsigned i = 4 * v;
    Four four = load4(p, i), one = {}, two = {};
    const Four g = load4(gradient, i);
    if (s) one = load4(s, i);
    if (t) two = load4(t, i);
    for (int k = 0; k < 4; ++k) update(four.at[k], g.at[k], one.at[k], two.at[k]);
    store4(p, i, four);
    if (s) store4(s, i, one);
    if (t) store4(t, i, two);
  }
  for (unsigned i = 4 * whole + firstIndex(); i < step.count; i += indexStep()) {
    float none = 0, other = 0;
    update(parameter[i], load(gradient, i), first ? first[i] : none, second ? second[i] : other);
  }
}

extern "C" __global__ void __launch_bounds__(threads)
    sgd(const __grid_constant__ Step step, float* parameter, const Element* gradient, float* velocity,
        float momentum, int nesterov) {
  Factors f;
  if (!factorsOf(step, f)) return;
  updateAll(step, parameter, gradient, velocity, nullptr, [&](float& p, float gradient, float& v, float&) {
    const float g = gradient * f.gradient + step.weightDecay * p;
    v = velocity ? momentum * v + g : g;
    p -= f.rate * (nesterov ? g + momentum * v : v);
  });
}

struct RmsProp {
  float decay, share, epsInside, epsOutside, momentum;
  int rateInVelocity;  // TensorFlow's velocity holds the learning rate
};

extern "C" __global__ void __launch_bounds__(threads)
    rmsProp(const __grid_constant__ Step step, float* parameter, const Element* gradient, float* square,
            float* velocity, const __grid_constant__ RmsProp r) {
  Factors f;
  if (!factorsOf(step, f)) return;
  const float toVelocity = r.rateInVelocity ? f.rate : 1.f, toParameter = r.rateInVelocity ? 1.f : f.rate;
  updateAll(step, parameter, gradient, square, velocity, [&](float& p, float gradient, float& s, float& v) {
    const float g = gradient * f.gradient + step.weightDecay * p;
    s = r.decay * s + r.share * g * g;
    const float u = toVelocity * (g / (sqrtf(s + r.epsInside) + r.epsOutside));
    v = velocity ? r.momentum * v + u : u;
    p -= toParameter * v;
  });
}

struct Adam {
  float beta2, share1, share2, eps;
  int decoupled;
};

extern "C" __global__ void __launch_bounds__(threads)
    adam(const __grid_constant__ Step step, float* parameter, const Element* gradient, float* mean,
         float* square, const __grid_constant__ Adam a) {
  Factors f;
  if (!factorsOf(step, f)) return;
  const float keep = a.decoupled ? 1.f - f.rate * step.weightDecay : 1.f;
  const float weightDecay = a.decoupled ? 0.f : step.weightDecay;
  const float rate = f.rate * step.scalars[2], root = sqrtf(step.scalars[3]);
  updateAll(step, parameter, gradient, mean, square, [&](float& p, float gradient, float& m, float& s) {
    const float g = gradient * f.gradient + weightDecay * p;
    m += a.share1 * (g - m);
    s = a.beta2 * s + a.share2 * g * g;
    p = p * keep - rate * (m / (sqrtf(s) * root + a.eps));
  });
}

// sum = keep * sum + share * x
extern "C" __global__ void __launch_bounds__(threads)
    mix(float* sum, const Element* x, unsigned count, float keep, float share) {
  const Step step = {nullptr, nullptr, count, 0, 0, 0};
  updateAll(step, sum, x, nullptr, nullptr,
            [&](float& p, float value, float&, float&) { p = keep * p + share * value; });
}
