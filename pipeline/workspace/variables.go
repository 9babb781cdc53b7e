package workspace

import (
	"os"
	"slices"
	"strings"
)

// numericVariable reports whether an environment variable can change a number that a cell computes.
// Those of XLA, of GoMLX and of its Go backend are read by them; the others by libraries inside a
// plugin: TensorFlow's kernels, oneDNN, and NVIDIA's. What only changes speed, logs, or where files
// are, is left out.
func numericVariable(name string) bool {
	switch name {
	case "XLA_FLAGS", "XLA_DEBUG_OPTIONS",
		"GOMLX_FUSION", "GOMLX_DOT_MATMUL", "GOMLX_SIMD_AVX2", "GOMLX_SIMD_AVX512",
		"TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL", "PJRT_NPROC",
		"NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG":
		return true
	}
	quiet := []string{"TF_CPP_", "TF_USE_MODULAR_FILESYSTEM", "DNNL_VERBOSE", "ONEDNN_VERBOSE"}
	if slices.ContainsFunc(quiet, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
		return false
	}
	return slices.ContainsFunc([]string{"TF_", "DNNL_", "ONEDNN_", "CUDNN_"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// numericVariables returns the variables of an environment, NAME=VALUE, that can change a number. It
// returns a map without entries where none is set.
func numericVariables(environment []string) map[string]string {
	found := map[string]string{}
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if name == "XLA_FLAGS" {
			value = xlaFlags(value)
		}
		if value != "" && numericVariable(name) {
			found[name] = value
		}
	}
	return found
}

// mostFlags is the largest file of flags that is read, in bytes.
const mostFlags = 64 << 10

// xlaFlags returns the flags of XLA_FLAGS. It may name a file with flags instead, whose content is
// what counts. The folder of CUDA's tools, which differs between machines, is left out.
func xlaFlags(value string) string {
	if !strings.HasPrefix(strings.TrimSpace(value), "-") {
		if info, err := os.Stat(value); err == nil && info.Mode().IsRegular() && info.Size() <= mostFlags {
			if content, err := os.ReadFile(value); err == nil {
				value = string(content)
			}
		}
	}
	flags := slices.DeleteFunc(strings.Fields(value), func(flag string) bool {
		return strings.HasPrefix(flag, "--xla_gpu_cuda_data_dir=")
	})
	return strings.Join(flags, " ")
}
