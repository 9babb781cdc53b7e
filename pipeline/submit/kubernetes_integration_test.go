//go:build integration

package submit

import (
	"os"
	"os/exec"
	"testing"
)

// TestIntegrationKubernetesSchema compares the Jobs with the JSON schemas of batch/v1 that Kubernetes
// publishes, strictly: an unknown field is an error. 1.29 is the first version with failures counted by
// index switched on.
func TestIntegrationKubernetesSchema(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with kubernetes-validate: run \"task test:integration\"")
	}
	const script = `
import sys, yaml, kubernetes_validate
jobs = list(yaml.safe_load_all(open(sys.argv[1])))
assert len(jobs) == 3 and all(j["kind"] == "Job" for j in jobs), jobs
for version in ("1.29", "1.31", "1.37"):
    for job in jobs:
        kubernetes_validate.validate(job, version, strict=True)
jobs[0]["spec"]["backofLimitPerIndex"] = 3  # the comparison sees what is wrong
try:
    kubernetes_validate.validate(jobs[0], "1.37", strict=True)
except kubernetes_validate.ValidationError:
    pass
else:
    sys.exit("an unknown field was not seen")
`
	file := t.TempDir() + "/jobs.yaml"
	if err := os.WriteFile(file, exampleJobs(t), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", script, file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
