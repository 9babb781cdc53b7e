// Package claims shares work between processes by locks on the bytes of one empty file.
//
// Every piece of work has a name, and each name stands for a byte: the first 8 bytes of the name's
// SHA-256, little endian, without the lowest 2 bits, are its offset. The process that holds the lock
// of the byte does the work. The kernel gives a lock back when its process ends, however it ends, so
// that a dead process holds nothing.
//
// The locks are open file description locks, fcntl(2): two claims in one process keep each other out
// as well. On a shared file system they hold between machines where it passes fcntl locks on: NFS with
// its lock service, Lustre mounted with flock, GPFS, CephFS.
package claims
