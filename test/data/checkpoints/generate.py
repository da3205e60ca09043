"""Makes the small files in odd/ and expected.json, what they hold according to PyTorch, NumPy and safetensors.

Run with Python 3.11, torch 2.13, numpy and safetensors from this folder: python generate.py
"""

import base64
import collections
import hashlib
import io
import json
import math
import os
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
ODD = os.path.join(HERE, 'odd')
os.makedirs(ODD, exist_ok=True)
torch.manual_seed(7)
expected = {'tensors': {}, 'cifar': {}, 'pickles': {}, 'npy': {}}

NAMES = {
    torch.float64: 'f64', torch.float32: 'f32', torch.float16: 'f16', torch.bfloat16: 'bf16',
    torch.int64: 'i64', torch.int32: 'i32', torch.int16: 'i16', torch.int8: 'i8', torch.uint8: 'u8',
    torch.bool: 'bool',
}


def path(name):
    return os.path.join(ODD, name)


def number(value):
    """JSON has no infinities and no NaN."""
    value = float(value)
    return value if math.isfinite(value) else str(value)


def describe(tensor):
    values = tensor.detach().to(torch.float32).reshape(-1).tolist()
    return {'shape': list(tensor.shape), 'dtype': NAMES[tensor.dtype], 'values': [number(v) for v in values]}


def expect(name, tensors):
    expected['tensors'][name] = {key: describe(value) for key, value in tensors.items()}


def save(name, root, tensors, **options):
    torch.save(root, path(name), **options)
    expect(name, tensors)


# Every element type, with the awkward values of each.
special = [0.0, -0.0, 1.0, -2.5, 1 / 3, 65504.0, -65504.0, 2.0**-14, 2.0**-15, 2.0**-24, -(2.0**-24),
           float('inf'), float('-inf'), float('nan')]
dtypes = {
    'f64': torch.tensor([*special, 1e300, math.pi], dtype=torch.float64),
    'f32': torch.tensor([*special, 1e-45, 3.4e38], dtype=torch.float32),
    'f16': torch.tensor(special, dtype=torch.float16).reshape(2, 7),
    'bf16': torch.tensor([*special, 1e38, 1e-40], dtype=torch.bfloat16).reshape(4, 4),
    'i64': torch.tensor([0, -1, 2**53 + 1, -(2**63), 2**63 - 1]),
    'i32': torch.tensor([0, -1, 2**31 - 1, -(2**31)], dtype=torch.int32),
    'i16': torch.tensor([0, -1, 32767, -32768], dtype=torch.int16),
    'i8': torch.tensor([0, -1, 127, -128, 5], dtype=torch.int8),
    'u8': torch.tensor([0, 1, 255], dtype=torch.uint8),
    'bool': torch.tensor([True, False, True]),
    'scalar': torch.tensor(4.25),
    'counter': torch.tensor(78125),
    'empty': torch.zeros(0, 3),
}
save('dtypes.pth', dtypes, dtypes)
save('dtypes-legacy.pth', dtypes, dtypes, _use_new_zipfile_serialization=False)
save_file(dtypes, path('dtypes.safetensors'), {'format': 'pt', 'note': 'two\nlines ü'})
expect('dtypes.safetensors', dtypes)

# Views: one storage, all kinds of strides.
base = torch.randn(4, 6)
views = {
    'base': base,
    'offset': base[2],
    'tail': base.reshape(-1)[20:],
    'transposed': base.t(),
    'column': base[:, 3],
    'block': base[1:3, 2:5],
    'steps': base[::2, 1::3],
    'expanded': base[1:2, :3].expand(5, 3),
    'corner': base[3, 5],
    'nothing': base[4:],
    'permuted': torch.randn(2, 3, 4, 5).permute(3, 1, 0, 2),
    'channels_last': torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    'half_t': torch.randn(3, 5).half().t(),
    'long_t': torch.arange(6).reshape(2, 3).t(),
    'parameter': torch.nn.Parameter(torch.randn(2, 2)),
}
save('views.pth', views, views)
save('views-legacy.pth', views, views, _use_new_zipfile_serialization=False)

# Roots, protocols.
small = collections.OrderedDict(weight=torch.arange(6.0).reshape(2, 3), bias=torch.tensor([1.5, -2.0]))
parallel = collections.OrderedDict((f'module.{name}', tensor) for name, tensor in small.items())
half_parallel = {'module.weight': small['weight'], 'bias': small['bias']}
optimizer = {'state': {0: {'step': 3, 'exp_avg': torch.zeros(2)}}, 'param_groups': [{'lr': 0.1, 'params': [0, 1]}]}
for wrapper in ['state_dict', 'model', 'model_state_dict', 'net']:
    save(f'nested-{wrapper}.pth', {'epoch': 7, 'best': 91.5, 'optimizer': optimizer, wrapper: small}, small)
save('nested-twice.pth', {'model': {'state_dict': parallel, 'arch': 'resnet'}}, small)
save('prefix-mixed.pth', half_parallel, half_parallel)
plain = {
    'big': 2**80, 'negative': -(2**40), 'bytes': b'\x00\xff', 'set': {1, 2}, 'none': None, 'yes': True,
    'nested': [1, (2.5, 'drei'), {'k': torch.float16, 'size': torch.Size([1, 2]), 'device': torch.device('cpu')}],
    'default': collections.defaultdict(list, a=[1]),
}
for protocol in [2, 3, 4, 5]:
    save(f'protocol-{protocol}.pth', {**small, **plain}, small, pickle_protocol=protocol)
module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, bias=False), torch.nn.BatchNorm2d(2))
module(torch.randn(2, 1, 5, 5))
save('batchnorm.pth', module.state_dict(), module.state_dict())
torch.serialization.set_crc32_options(False)
save('no-sums.pth', small, small)
torch.serialization.set_crc32_options(True)


# Refused.
class Attack:
    def __init__(self, call, *args):
        self.reduction = call, args

    def __reduce__(self):
        return self.reduction


attack = {'weight': small['weight'], 'harm': Attack(os.system, 'touch /tmp/harmed')}
torch.save(attack, path('unsafe.pth'))
torch.save(attack, path('unsafe-4.pth'), pickle_protocol=4)
torch.save(attack, path('unsafe-legacy.pth'), _use_new_zipfile_serialization=False)
torch.save({'weight': small['weight'], 'harm': Attack(eval, '1')}, path('unsafe-eval.pth'))
torch.save({'weight': small['weight'], 'best': np.float64(1.5)}, path('unsafe-numpy.pth'))
torch.save(torch.nn.Linear(2, 2), path('module.pth'))
torch.save(torch.nn.Linear(2, 2), path('module-legacy.pth'), _use_new_zipfile_serialization=False)
torch.save([small['weight']], path('list.pth'))
torch.save({'epoch': 3, 'optimizer': optimizer}, path('no-tensors.pth'))


# Zip archives made again by hand.
def rezip(source, target, change=lambda name, data: data, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path(source)) as old, zipfile.ZipFile(path(target), 'w', method) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), change(name, old.read(name)), method)


rezip('views.pth', 'deflated.pth', method=zipfile.ZIP_DEFLATED)
expect('deflated.pth', views)
rezip('nested-net.pth', 'big-endian.pth', lambda name, data: b'big' if name.endswith('byteorder') else data)


# The stream format by hand: written on a big-endian machine, and with a view of a storage.
class Storage:
    """Pickles as the persistent id of a storage."""

    def __init__(self, *id):
        self.id = ('storage', *id)


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


def stream(name, root, storages, little=True):
    with open(path(name), 'wb') as file:
        for value in [0x1950A86A20F9469CFC6C, 1001, {'protocol_version': 1001, 'little_endian': little, 'type_sizes': {}}]:
            pickle.dump(value, file, 2)
        Pickler(file, 2).dump(root)
        pickle.dump(list(storages), file, 2)
        for values in storages.values():
            file.write(struct.pack('<q', len(values)) + values.astype('<f4').tobytes())


class Rebuilt:
    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return torch._utils._rebuild_tensor, self.args


numbers = np.arange(10, dtype=np.float32)
whole = Storage(torch.FloatStorage, '100', 'cuda:0', 10, None)
part = Storage(torch.FloatStorage, '100', 'cuda:0', 10, ('101', 4, 5))
stream('storage-view-legacy.pth', {'all': Rebuilt(whole, 0, (2, 5), (5, 1)), 'part': Rebuilt(part, 1, (2, 2), (2, 1))}, {'100': numbers})
expect('storage-view-legacy.pth', {'all': torch.arange(10.0).reshape(2, 5), 'part': torch.arange(5.0, 9.0).reshape(2, 2)})
loaded = torch.load(path('storage-view-legacy.pth'), map_location='cpu', weights_only=False)
assert {k: describe(v) for k, v in loaded.items()} == expected['tensors']['storage-view-legacy.pth']
stream('big-endian-legacy.pth', {'all': Rebuilt(whole, 0, (2, 5), (5, 1))}, {'100': numbers}, little=False)


# The tar container of PyTorch before 0.1.10.
class TensorId:
    def __init__(self, key):
        self.key = key


class TarPickler(pickle.Pickler):
    def persistent_id(self, value):
        return str(value.key) if isinstance(value, TensorId) else None


def tar(name, root, storages, views, tensors, little=True):
    parts = {}
    file = io.BytesIO()
    pickle.dump({'protocol_version': 1000, 'little_endian': little, 'type_sizes': {}}, file, 2)
    parts['sys_info'] = file.getvalue()
    file = io.BytesIO()
    TarPickler(file, 2).dump(root)
    parts['pickle'] = file.getvalue()
    file = io.BytesIO()
    pickle.dump(len(tensors), file, 2)
    for key, storage, type, shape, strides, offset in tensors:
        pickle.dump((key, storage, type), file, 2)
        file.write(struct.pack('<i', len(shape)) + b'\xaa' * 4)
        file.write(struct.pack(f'<{2 * len(shape) + 1}q', *shape, *strides, offset))
    parts['tensors'] = file.getvalue()
    file = io.BytesIO()
    pickle.dump(len(storages), file, 2)
    for key, type, values in storages:
        pickle.dump((key, 'cpu', type), file, 2)
        file.write(struct.pack('<q', len(values)) + values.tobytes())
    pickle.dump(views, file, 2)
    parts['storages'] = file.getvalue()
    with tarfile.open(path(name), 'w:', format=tarfile.PAX_FORMAT) as archive:
        for member, data in parts.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


tar_storages = [(11, torch.FloatStorage, numbers), (12, torch.LongStorage, np.array([5, -6], '<i8')),
                (14, torch.DoubleStorage, np.array([0.1, 0.2, 0.3], '<f8'))]
tar_tensors = [
    (1, 11, torch.FloatTensor, (2, 5), (5, 1), 0), (2, 11, torch.FloatTensor, (5, 2), (1, 5), 0),
    (3, 13, torch.FloatTensor, (2,), (2,), 1), (4, 12, torch.LongTensor, (2,), (1,), 0),
    (5, 14, torch.DoubleTensor, (1, 3), (3, 1), 0),
]
tar_root = {'epoch': 2, 'state_dict': collections.OrderedDict(
    [('module.weight', TensorId(1)), ('module.turned', TensorId(2)), ('module.view', TensorId(3)),
     ('module.count', TensorId(4)), ('module.double', TensorId(5))])}
tar('old.tar.pth', tar_root, tar_storages, [(13, 11, 6, 4)], tar_tensors)
loaded = torch.load(path('old.tar.pth'), weights_only=False)['state_dict']
expect('old.tar.pth', {name.removeprefix('module.'): tensor for name, tensor in loaded.items()})
tar('big-endian.tar.pth', tar_root, tar_storages, [(13, 11, 6, 4)], tar_tensors, little=False)
tar('outside.tar.pth', tar_root, tar_storages, [(13, 11, 6, 4)], [*tar_tensors[:4], (5, 14, torch.DoubleTensor, (1, 3), (3, 1), 1)])
tar('unsafe.tar.pth', {'weight': TensorId(1), 'harm': Attack(os.system, 'touch /tmp/harmed')}, tar_storages, [(13, 11, 6, 4)], tar_tensors)


# Bare pickles of every protocol; the shared list is there once.
shared = [1]
value = {
    'integers': [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), 2**40, -(2**52)], 'shared': [shared, shared],
    'floats': [0.5, -1e300, 1e-320], 'text': ['', 'plain', 'tab\tnew\nline', 'üñ€😀', "it's", 'back\\slash'],
    'none': None, 'bools': [True, False], 'tuples': [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]],
    'long': 'x' * 300, 'deep': {'a': {'b': {'c': []}}},
}
live = {**value, 'tuples': [tuple(t) for t in value['tuples']]}
for protocol in range(6):
    expected['pickles'][f'protocol {protocol}'] = base64.b64encode(pickle.dumps(live, protocol)).decode()
expected['pickleValue'] = value
expected['exact'] = {'i64': dtypes['i64'].tolist(), 'counter': [78125]}
expected['exact'] = {name: [str(v) for v in values] for name, values in expected['exact'].items()}
expected['bigIntegers'] = {
    'pickles': [base64.b64encode(pickle.dumps([2**64, -(2**64), 2**200, -(2**2100)], p)).decode() for p in [0, 2]],
    'values': [str(v) for v in [2**64, -(2**64), 2**200, -(2**2100)]],
}

# What PyTorch and safetensors read from the published files: shapes, types and the sums of the raw float32 data.
def fingerprints(tensors):
    return {
        name.removeprefix('module.'): {
            'shape': list(tensor.shape),
            'dtype': NAMES[tensor.dtype],
            'sha256': hashlib.sha256(tensor.detach().float().contiguous().numpy().tobytes()).hexdigest(),
        }
        for name, tensor in tensors.items()
    }


for name in ['resnet20-12fca82f.th', 'resnet20-zip.pth', 'resnet20.safetensors', 'resnet32-d509ac18.th']:
    file = os.path.join(HERE, 'cifar', name)
    if name.endswith('.safetensors'):
        weights = load_file(file)
    else:
        weights = torch.load(file, map_location='cpu', weights_only=False)
    expected['cifar'][name] = fingerprints(weights.get('state_dict', weights))

# NumPy arrays.
grid = np.arange(6, dtype=np.float32).reshape(2, 3) / 4
arrays = {
    'f4': grid, 'f8': grid.astype('<f8'), 'f2': grid.astype('<f2'), 'u1': (grid * 4).astype('u1'),
    'i4': (grid * -4).astype('<i4'), 'i8': (grid * -4).astype('<i8'), 'b1': grid > 0.5, 'scalar': np.float32(2.5),
    'vector': grid[0], 'empty': grid[:0], 'four': np.random.default_rng(3).random((1, 2, 3, 2), np.float32),
}
for name, array in arrays.items():
    np.save(path(f'{name}.npy'), array)
    array = np.asarray(array)
    expected['npy'][f'{name}.npy'] = {'shape': list(array.shape), 'values': array.astype(np.float32).reshape(-1).tolist()}
np.save(path('fortran.npy'), np.asfortranarray(grid))
np.save(path('big-endian.npy'), grid.astype('>f4'))
np.save(path('text.npy'), np.array(['a']))
with open(path('version-2.npy'), 'wb') as file:
    np.lib.format.write_array(file, grid, (2, 0))
expected['npy']['version-2.npy'] = expected['npy']['f4.npy']

with open(os.path.join(HERE, 'expected.json'), 'w') as file:
    json.dump(expected, file, indent=1)
    file.write('\n')
