// Updates of tensors in place, in float, many tensors a launch. A parameter and what is kept from step to
// step are f32, a gradient is of the element type. A block works on `part` elements of one tensor: that
// number t whose blocks are begin[t] to begin[t + 1]. Every thread takes four neighbours, the last ones
// singly.

constexpr unsigned threads = 256, part = 4096, mostTensors = 96;

struct Tensors {
  float* parameter[mostTensors];
  const Element* gradient[mostTensors];
  float *first[mostTensors], *second[mostTensors];
  unsigned elements[mostTensors], begin[mostTensors + 1], count;
};

// What all optimizers read.
struct Step {
  const float *scalars, *norm;
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
  if (step.maxNorm != 0) factors.gradient *= fminf(1.f, step.maxNorm / (factors.gradient * norm + 1e-6f));
  return true;
}

// Calls update(p, g, s, t) for the block's elements of a parameter, its gradient and up to two states.
template <class Update>
__device__ inline void updateAll(const Tensors& tensors, const Update& update) {
  const unsigned t = owner(tensors.begin, tensors.count, blockIdx.x);
  float *p = tensors.parameter[t], *first = tensors.first[t], *second = tensors.second[t];
  const Element* g = tensors.gradient[t];
  const unsigned elements = tensors.elements[t], begin = (blockIdx.x - tensors.begin[t]) * part;
  const unsigned end = elements - begin < part ? elements : begin + part, whole = end - end % 4;
  for (unsigned i = begin + 4 * threadIdx.x; i < whole; i += 4 * blockDim.x) {
    Four four = load4(p, i), gradient = {}, one = {}, two = {};
    if (g) gradient = load4(g, i);
    if (first) one = load4(first, i);
    if (second) two = load4(second, i);
    for (int k = 0; k < 4; ++k) update(four.at[k], gradient.at[k], one.at[k], two.at[k]);
    store4(p, i, four);
    if (first) store4(first, i, one);
    if (second) store4(second, i, two);
  }
  const unsigned i = whole + threadIdx.x;
  if (i >= end) return;
  float none = 0, other = 0;
  update(p[i], g ? load(g, i) : 0.f, first ? first[i] : none, second ? second[i] : other);
}

// Without a velocity, momentum is 0.
struct Sgd {
  float momentum;
  int nesterov;
};

extern "C" __global__ void __launch_bounds__(threads)
    sgd(const __grid_constant__ Tensors tensors, const __grid_constant__ Step step,
        const __grid_constant__ Sgd o) {
  Factors f;
  if (!factorsOf(step, f)) return;
  updateAll(tensors, [&](float& p, float gradient, float& v, float&) {
    const float g = gradient * f.gradient + step.weightDecay * p;
    v = o.momentum * v + g;
    p -= f.rate * (o.nesterov ? g + o.momentum * v : v);
  });
}

struct RmsProp {
  float decay, share, epsInside, epsOutside, momentum;
  int rateInVelocity;  // TensorFlow's velocity holds the learning rate
};

extern "C" __global__ void __launch_bounds__(threads)
    rmsProp(const __grid_constant__ Tensors tensors, const __grid_constant__ Step step,
            const __grid_constant__ RmsProp r) {
  Factors f;
  if (!factorsOf(step, f)) return;
  const float toVelocity = r.rateInVelocity ? f.rate : 1.f, toParameter = r.rateInVelocity ? 1.f : f.rate;
  updateAll(tensors, [&](float& p, float gradient, float& s, float& v) {
    const float g = gradient * f.gradient + step.weightDecay * p;
    s = r.decay * s + r.share * g * g;
    const float u = toVelocity * (g / (sqrtf(s + r.epsInside) + r.epsOutside));
    v = r.momentum * v + u;
    p -= toParameter * v;
  });
}

struct Adam {
  float beta2, share1, share2, eps;
  int decoupled;
};

extern "C" __global__ void __launch_bounds__(threads)
    adam(const __grid_constant__ Tensors tensors, const __grid_constant__ Step step,
         const __grid_constant__ Adam a) {
  Factors f;
  if (!factorsOf(step, f)) return;
  const float keep = a.decoupled ? 1.f - f.rate * step.weightDecay : 1.f;
  const float weightDecay = a.decoupled ? 0.f : step.weightDecay;
  const float rate = f.rate * step.scalars[2], root = sqrtf(step.scalars[3]);
  updateAll(tensors, [&](float& p, float gradient, float& m, float& s) {
    const float g = gradient * f.gradient + weightDecay * p;
    m += a.share1 * (g - m);
    s = a.beta2 * s + a.share2 * g * g;
    p = p * keep - rate * (m / (sqrtf(s) * root + a.eps));
  });
}

// sum = keep * sum + share * x
struct Mix {
  float keep, share;
};
extern "C" __global__ void __launch_bounds__(threads)
    mix(const __grid_constant__ Tensors tensors, const __grid_constant__ Mix m) {
  updateAll(tensors, [&](float& p, float x, float&, float&) { p = m.keep * p + m.share * x; });
}

extern "C" __global__ void __launch_bounds__(threads) clear(const __grid_constant__ Tensors tensors) {
  updateAll(tensors, [](float& p, float, float&, float&) { p = 0; });
}
