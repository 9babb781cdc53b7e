package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Variables that were seen to change a bit of a model are kept, and others of the same programs that
// only change logs or speed are not.
func TestNumericVariables(t *testing.T) {
	flags := filepath.Join(t.TempDir(), "flags")
	if err := os.WriteFile(flags, []byte("--a=1\n --b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := numericVariables([]string{
		"XLA_FLAGS=--xla_cpu_enable_fast_math=true  --xla_gpu_cuda_data_dir=/usr/local/cuda-12", // the folder differs between machines
		"TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL=0", "DNNL_MAX_CPU_ISA=SSE41", "TF_ENABLE_ONEDNN_OPTS=0", "TF_CUDNN_DETERMINISTIC=1", "GOMLX_SIMD_AVX512=false",
		"TF_CPP_MIN_LOG_LEVEL=2", "OMP_NUM_THREADS=4", "GOMLX_BACKEND=go", "HOME=/root", "PATH=/bin", "DNNL_VERBOSE=1", "TF_VAR_password=x", "TF_CLI_CONFIG_FILE=x", "XLA_DEBUG_OPTIONS=", "odd",
	})
	want := map[string]string{
		"XLA_FLAGS": "--xla_cpu_enable_fast_math=true", "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL": "0", "DNNL_MAX_CPU_ISA": "SSE41",
		"TF_ENABLE_ONEDNN_OPTS": "0", "TF_CUDNN_DETERMINISTIC": "1", "GOMLX_SIMD_AVX512": "false",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("variables (-want +got):\n%s", d)
	}
	if got = numericVariables([]string{"XLA_FLAGS=" + flags}); got["XLA_FLAGS"] != "--a=1 --b" {
		t.Errorf("flags in a file: %v", got)
	}
	if got = numericVariables(nil); got == nil || len(got) != 0 {
		t.Errorf("no variable is set: %#v, want a map without entries, which is written, unlike none", got)
	}
}

// A page that cannot be written for want of the right to is no error; any other is.
func TestUnwritten(t *testing.T) {
	w := New(Workspace{})
	for _, err := range []error{nil, fmt.Errorf("mkdir: %w", fs.ErrPermission), fmt.Errorf("mkdir: %w", syscall.EROFS)} {
		if got := w.Unwritten(err); got != nil {
			t.Errorf("%v gives %v", err, got)
		}
	}
	for _, err := range []error{errors.New("x"), syscall.ENOSPC} {
		if got := w.Unwritten(err); !errors.Is(got, err) {
			t.Errorf("%v gives %v", err, got)
		}
	}
}
