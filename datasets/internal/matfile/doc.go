// Package matfile reads MAT-files of version 5 (MATLAB 5 to 7.2): little endian, elements plain or
// zlib-compressed. It reads what data-set annotations are made of: numeric arrays, char arrays, cells
// and structs. Arrays of other classes keep their class and lose their content; complex numbers are an
// error. Contents are column-major.
//
// No length in a file is trusted. Nothing is allocated that the file cannot hold, a compressed element
// is unpacked up to the length that it declares, and a file up to 24 MiB in all. Every error is an
// [Error] with the offset.
//
// Source of the format: MathWorks, "MAT-File Format" (Level 5). Libraries that were considered:
// scigolib/matlab (v0.3.10, 2026; its v5 reader does not read cells and structs yet), florianl/matf
// (2018, no release since; allocates what a tag says and reads struct fields into interface values),
// daniellowtw/matlab (2019; panics on content that it does not know). None of them states offsets in
// its errors, and none is on the module proxy that this project builds with.
package matfile
