// Package matfile reads MAT-files of version 5 (MATLAB 5 to 7.2): little
// endian, elements plain or zlib-compressed. It knows numeric arrays, char
// arrays, cells and structs, which is what data-set annotations are made of;
// arrays of other classes are kept with their class and without content, and
// complex numbers are refused.
//
// A file is bad input: no length in it is trusted, nothing is allocated for
// what the file cannot hold, a compressed element is unpacked up to the length
// that it declares and 32 MiB per file at most, and every error is an [Error]
// with the offset.
//
// Source of the format: MathWorks, "MAT-File Format" (Level 5). Libraries
// looked at before writing this one: scigolib/matlab (v0.3.10, 2026; its v5
// reader does not read cells and structs yet), florianl/matf (2018, no release
// since; allocates what a tag says and reads struct fields into interface
// values), daniellowtw/matlab (2019; panics on content that it does not know).
// None of them states offsets in its errors, and none could be had from the
// module proxy that this project builds with.
package matfile
