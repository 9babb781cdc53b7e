package workspace

import (
	"os"
	"slices"
	"strings"
)

// numericVariable reports whether an environment variable can change a number that a cell computes.
// Those of XLA, of GoMLX and of its Go backend are read by them; the others by libraries inside a
// plugin: TensorFlow's kernels, oneDNN, and NVIDIA's. What only changes speed, logs, or where files
// are, is left out. Names are given in full, or by a beginning that no other program uses: a record
// must not get the secrets of others, such as Terraform's TF_VAR_*.
func numericVariable(name string) bool {
	switch name {
	case "XLA_FLAGS", "XLA_DEBUG_OPTIONS",
		"GOMLX_FUSION", "GOMLX_DOT_MATMUL", "GOMLX_SIMD_AVX2", "GOMLX_SIMD_AVX512",
		"TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL", "PJRT_NPROC",
		"DNNL_MAX_CPU_ISA", "DNNL_CPU_ISA_HINTS", "DNNL_DEFAULT_FPMATH_MODE",
		"ONEDNN_MAX_CPU_ISA", "ONEDNN_CPU_ISA_HINTS", "ONEDNN_DEFAULT_FPMATH_MODE",
		"TF_DETERMINISTIC_OPS", "TF_USE_CUBLASLT", "TF_ENABLE_ONEDNN_OPTS",
		"NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG":
		return true
	}
	known := []string{"TF_CUDNN_", "TF_ENABLE_CUBLAS_", "TF_ENABLE_CUDNN_", "TF_DISABLE_CUBLAS_", "TF_DISABLE_CUDNN_"}
	return slices.ContainsFunc(known, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
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
