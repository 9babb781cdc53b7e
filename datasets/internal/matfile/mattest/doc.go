// Package mattest writes MAT-files of version 5 for tests. It shares no code with the reader, and it
// can write files that the reader must refuse.
package mattest
