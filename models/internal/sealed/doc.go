// Package sealed reads and writes files that are complete or absent.
//
// Tensors are stored as safetensors (https://huggingface.co/docs/safetensors): an 8-byte
// little-endian length, a JSON header of names, dtypes, shapes and offsets, then the values,
// row-major and little-endian. A sealed file holds the SHA-256 of its own bytes, computed with
// zeros in place of the digest. Files are written under a temporary name, synced and renamed, and
// their folder is synced.
package sealed
