// Package mattest writes MAT-files of version 5 for tests. It shares no code
// with the reader and can write what a reader must refuse.
package mattest
