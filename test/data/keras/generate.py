"""Small Keras 3 networks as layers models of TensorFlow.js, with the results that Keras gives.

    pip install tensorflow-cpu keras numpy
    KERAS_BACKEND=tensorflow python generate.py

A network NAME becomes NAME/model.json, NAME/group1-shard1of1.bin and NAME/expected.json: the values before
the last softmax (or sigmoid) for one batch of images whose element i, in the order [N, H, W, C], is
(i * 37 mod 101) / 50 - 1.
"""

import json
import pathlib

import keras
import numpy as np
from keras import layers as L

HERE = pathlib.Path(__file__).parent


def images(shape):
    index = np.arange(np.prod(shape), dtype=np.int64)
    return ((index * 37 % 101) / 50 - 1).astype(np.float32).reshape(shape)


def randomise(model, random):
    for variable in model.weights:
        shape, name = variable.shape, variable.name
        if name == "moving_variance":
            value = random.uniform(0.5, 1.5, shape)
        elif name == "gamma":
            value = random.uniform(0.6, 1.4, shape)
        elif name in ("beta", "bias", "moving_mean"):
            value = random.uniform(-0.3, 0.3, shape)
        else:
            fan = max(1, int(np.prod(shape[:-1])))
            value = random.normal(0, 1.4 / np.sqrt(fan), shape)
        variable.assign(value.astype(np.float32))


def leaves(model, path=""):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer, f"{path}{layer.name}/")
        else:
            yield path, layer


def write(name, model, logits, batch=2, qualified=True):
    """logits: the same network, without its last activation. qualified: whether the name of a weight has those of
    the models around its layer, which files of some versions have and some have not."""
    randomise(model, np.random.RandomState(sum(map(ord, name))))
    x = images((batch, *model.input_shape[1:]))
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    weights, data = [], b""
    for path, layer in leaves(model):
        for variable in layer.weights:
            value = np.asarray(variable, np.float32)
            full = f"{path if qualified else ''}{layer.name}/{variable.name}"
            weights.append({"name": full, "shape": list(value.shape), "dtype": "float32"})
            data += value.tobytes()
    topology = {"keras_version": keras.__version__, "backend": "tensorflow", "model_config": json.loads(model.to_json())}
    document = {
        "format": "layers-model",
        "generatedBy": f"keras v{keras.__version__}",
        "convertedBy": None,
        "modelTopology": topology,
        "weightsManifest": [{"paths": ["group1-shard1of1.bin"], "weights": weights}],
    }
    (folder / "model.json").write_text(json.dumps(document))
    (folder / "group1-shard1of1.bin").write_bytes(data)
    result = np.asarray(logits(x))
    softmaxed = np.asarray(model(x))
    expected = {
        "input": list(x.shape),
        "logits": [[float(v) for v in row] for row in result],
        "output": [[float(v) for v in row] for row in softmaxed],
    }
    (folder / "expected.json").write_text(json.dumps(expected))
    print(name, x.shape, result.shape, len(data), "bytes", result[0][:4])


def upto(model, tensor):
    return keras.Model(model.inputs, tensor)


def every_layer():
    """Each kind of layer; even and odd sizes under 'same', so that its padding is uneven."""
    image = L.Input((10, 10, 3), name="image")
    x = L.Rescaling(0.5, offset=0.1, name="rescaling")(image)
    x = L.ZeroPadding2D(((1, 2), (0, 3)), name="pad")(x)
    x = L.Conv2D(8, (3, 2), strides=2, padding="same", name="conv", activation="relu")(x)
    x = L.BatchNormalization(name="bn", epsilon=2e-3)(x)
    a = L.Conv2D(8, 3, padding="same", dilation_rate=2, use_bias=False, name="dilated")(x)
    a = L.BatchNormalization(scale=False, name="bn_no_scale")(a)
    b = L.Conv2D(8, 3, padding="same", groups=4, name="grouped")(x)
    b = L.BatchNormalization(center=False, name="bn_no_center")(b)
    x = L.Add(name="sum")([a, x, b])
    x = L.ReLU(name="relu")(x)
    c = L.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same", name="depthwise")(x)
    d = L.SeparableConv2D(5, 2, strides=2, padding="same", depth_multiplier=3, name="separable", activation="tanh")(x)
    e = L.MaxPooling2D(3, strides=2, padding="same", name="maxpool")(x)
    f = L.AveragePooling2D((2, 3), strides=2, padding="same", name="avgpool")(x)
    x = L.Concatenate(name="join")([c, d, e, f])
    g = L.GlobalAveragePooling2D(name="mean")(x)
    h = L.GlobalMaxPooling2D(name="max")(x)
    x = L.AveragePooling2D(2, strides=1, name="small")(x)
    x = L.Flatten(name="flat")(x)
    x = L.Concatenate(name="join_flat")([g, x, h])
    x = L.BatchNormalization(name="bn_flat")(x)
    x = L.Dropout(0.5, name="dropout")(x)
    x = L.Dense(12, activation="sigmoid", name="hidden")(x)
    last = L.Dense(5, name="scores")(x)
    model = keras.Model(image, L.Softmax(name="softmax")(last), name="every_layer")
    write("every_layer", model, upto(model, last))


def branches():
    """A layer used twice, a model within a model used twice, flattened branches, one behind a softmax, that are
    added."""
    inner_in = L.Input((None, None, 4), name="inner_in")
    y = L.Conv2D(4, 3, padding="same", activation="relu", name="conv")(inner_in)
    inner = keras.Model(inner_in, [L.Add(name="add")([inner_in, y]), y], name="inner")
    image = L.Input((7, 7, 1), name="image")
    shared = L.Conv2D(4, 2, padding="same", name="conv")
    x = shared(image)
    z = shared(L.Activation("relu", name="positive")(image))
    x, y = inner(x)
    z, _ = inner(z)
    x = L.MaxPooling2D(2, padding="same", name="pool")(L.Add(name="add")([x, y, z]))
    p = L.Flatten(name="flat_one")(L.Softmax(name="across_channels")(x))
    q = L.Flatten(name="flat_two")(L.Conv2D(4, 1, name="pixelwise")(x))
    x = L.Add(name="add_flat")([p, q])
    last = L.Dense(3, name="scores")(x)
    model = keras.Model(image, L.Activation("softmax", name="softmax")(last), name="branches")
    write("branches", model, upto(model, last))


def stacked():
    """Sequential within sequential, Dense on pixels, reshapes, a convolution as classifier and a sigmoid."""
    body = keras.Sequential(
        [L.Conv2D(6, 3, strides=2, padding="same", name="conv"), L.BatchNormalization(name="bn"), L.ReLU(name="relu")],
        name="body",
    )
    model = keras.Sequential(
        [
            L.Input((8, 8, 2), name="image"),
            body,
            L.Dense(5, name="per_pixel"),
            L.GlobalAveragePooling2D(keepdims=True, name="mean"),
            L.Conv2D(4, 1, activation="sigmoid", name="scores"),
            L.Dropout(0.1, name="dropout"),
            L.Reshape((4,), name="reshape"),
        ],
        name="stacked",
    )

    def logits(x):
        y = np.asarray(model(x), np.float64)
        return np.log(y / (1 - y))

    write("stacked", model, logits, qualified=False)


every_layer()
branches()
stacked()
