"""Writes the files of this folder, as other programs write them: numpy, pyarrow and safetensors.

Every matrix is [7, 3], x[i, j] = i + j / 4 - 2, which float16 has exactly. Every table has the columns
id (100, 99, ...), label ("a", "b", "a", ...), number (i * 2**33) and flag (i is even).
"""

import sys
from pathlib import Path

import ml_dtypes
import numpy
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
rows, width = 7, 3
x = numpy.add.outer(numpy.arange(rows), numpy.arange(width) / 4) - 2

for t in ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8"):
    name = t.replace("<", "le").replace(">", "be")
    numpy.save(out / f"{name}.npy", x.astype(t))
    numpy.save(out / f"{name}-fortran.npy", numpy.asfortranarray(x.astype(t)))
for version in ((1, 0), (2, 0), (3, 0)):
    with open(out / f"version{version[0]}.npy", "wb") as f:
        numpy.lib.format.write_array(f, x.astype("<f4"), version=version)
for t in ("<i8", ">i4", "<i2", "|i1", "<u8", ">u4", "<u2", "|u1"):
    numpy.save(out / f"labels-{t[1:]}.npy", (numpy.arange(rows) * 3).astype(t))

save_file({"x": x.astype("f4"), "bias": numpy.zeros(3, "f4")}, out / "f32.safetensors", {"by": "test"})
save_file({"x": x.astype("f2"), "y": x.astype("f8")}, out / "two.safetensors")
save_file({"x": x.astype(ml_dtypes.bfloat16)}, out / "bf16.safetensors")

labels = [("a", "b")[i % 2] for i in range(rows)]


def table(element, fixed):
    flat = pa.array(x.astype(element.to_pandas_dtype()).ravel(), element)
    if fixed:
        lists = pa.FixedSizeListArray.from_arrays(flat, width)
    else:
        lists = pa.ListArray.from_arrays(pa.array(numpy.arange(rows + 1) * width, pa.int32()), flat)
    return pa.table(
        {
            "id": pa.array(100 - numpy.arange(rows), pa.int32()),
            "label": labels,
            "category": pa.array(labels).dictionary_encode(),
            "number": pa.array(numpy.arange(rows) * 2**33, pa.uint64()),
            "flag": pa.array([i % 2 == 0 for i in range(rows)]),
            "x": lists,
        }
    )


for element in (pa.float16(), pa.float32(), pa.float64()):
    for fixed in (True, False):
        name = f"{element}-{'fixed' if fixed else 'list'}"
        t = table(element, fixed)
        with pa.OSFile(str(out / f"{name}.arrow"), "wb") as f, pa.ipc.new_file(f, t.schema) as w:
            for batch in t.to_batches(max_chunksize=3):
                w.write_batch(batch)
        pq.write_table(t, out / f"{name}.parquet", row_group_size=3)
t = table(pa.float32(), True)
with pa.OSFile(str(out / "stream.arrow"), "wb") as f, pa.ipc.new_stream(f, t.schema) as w:
    w.write_table(t, max_chunksize=3)
for codec in ("lz4", "zstd"):
    o = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.OSFile(str(out / f"{codec}.arrow"), "wb") as f, pa.ipc.new_file(f, t.schema, options=o) as w:
        w.write_table(t)
for codec in ("none", "snappy", "gzip", "zstd", "lz4"):
    pq.write_table(t, out / f"{codec}.parquet", compression=codec)
pq.write_table(t, out / "plain.parquet", use_dictionary=False, data_page_size=16)
pq.write_table(t, out / "v2.parquet", data_page_version="2.0", data_page_size=16)
pq.write_table(t, out / "split.parquet", use_dictionary=False, use_byte_stream_split=["x.list.element"])
pq.write_table(pa.table({"x": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32()))}), out / "null.parquet")
pq.write_table(pa.table({"x": pa.array([[1.0, 2.0], [3.0]], pa.list_(pa.float32()))}), out / "ragged.parquet")
lists = [pa.array([[i, i + 1]], pa.list_(pa.float32())) for i in (1, 3, 5)]
t = pa.Table.from_arrays([pa.array([7]), pa.array([8]), pa.array([9])] + lists + [pa.array([0])], ["id", "id", "y", "x", "x", "only", "mixed"])
t = t.append_column("mixed", lists[0])
with pa.OSFile(str(out / "twice.arrow"), "wb") as f, pa.ipc.new_file(f, t.schema) as w:
    w.write_table(t)
pq.write_table(t, out / "twice.parquet")
