// Package vectors reads what other programs computed: a matrix of numbers [rows, width], one vector a
// row, and tables that say what each row is.
//
// # Matrices
//
//   - NumPy's .npy, versions 1 to 3: float16, float32 or float64, either byte order, C or Fortran order
//   - safetensors: the named tensor, or the only one with two dimensions; F16, BF16, F32 or F64
//   - Arrow files and streams, Parquet: the named column, or the only one that is a list of floats;
//     all rows have the same width, and none is null
//   - CSV and TSV: every column is a dimension; a first line that is not all numbers is a header
//
// Rows are read as float32. A number that is NaN or infinite, or too large for a float32, is an error
// that names its row. Rows count from 0, as they do in the program that wrote them; lines count from 1.
//
// # Tables
//
// CSV and TSV with a header, Parquet, Arrow files and streams have named columns. A .npy of whole
// numbers [rows] and a .txt with a value a line are tables of one column without a name. Cells are
// int64 or strings. A column of text is int64 where each cell is a whole number as it is printed:
// "7", not "07", which stays a string. A cell that is null is an error.
//
// # Broken files
//
// The first bytes of a file say what it is, and its extension where they do not. Lengths in a file are
// compared with its size before memory is taken for them, and what decompresses to more than 256 times
// the file is refused. Errors name the file and the line, row or offset (bytes).
package vectors
