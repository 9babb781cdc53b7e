// Package sealed reads and writes files that are whole or not there.
//
// Tensors are stored as safetensors (https://huggingface.co/docs/safetensors): an
// 8-byte little-endian length, a JSON header of names, dtypes, shapes and
// offsets, then the values, row-major and little-endian. A sealed file ends in the
// SHA-256 of everything before it. Files are written under a temporary name,
// synced and renamed, and their folder is synced.
package sealed
