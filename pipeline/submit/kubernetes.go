package submit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"

	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// Kubernetes says where the tasks of the engine kubernetes run.
type Kubernetes struct {
	Image string // image of the container, with a shell, sed and a libc that fits the program
	Claim string // name of the PersistentVolumeClaim that holds workspace and cache
	// Mount is the folder that the claim's root is here. Pods see it at the same path. Empty stands for
	// the workspace.
	Mount     string
	Queue     string   // name of a Kueue LocalQueue; empty stands for none
	Resources []string // requests and limits besides memory, name=quantity: nvidia.com/gpu=1, cpu=8
}

// Names of Kubernetes: a DNS subdomain, the value of a label, and a resource with its quantity, in
// the grammar of https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
var (
	subdomain    = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	labelValue   = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	resourceName = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	quantity     = regexp.MustCompile(`^([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][0-9]+)?$`)
)

// check refuses what the server would refuse, so that it is said before anything is written.
func (k Kubernetes) check() error {
	switch {
	case k.Image == "":
		return errors.New("--image is missing: want the image of the container that runs the tasks")
	case strings.ContainsAny(k.Image, " \t\r\n"):
		return fmt.Errorf("--image %q: want the name of an image, without spaces", k.Image)
	case k.Claim == "":
		return errors.New("--claim is missing: want the name of the PersistentVolumeClaim that holds the workspace")
	case !subdomain.MatchString(k.Claim) || len(k.Claim) > 253:
		return fmt.Errorf("--claim %q: want the name of a PersistentVolumeClaim: lower-case letters, digits, dashes and dots", k.Claim)
	case k.Queue != "" && !labelValue.MatchString(k.Queue):
		return fmt.Errorf("--queue %q: want the name of a queue of Kueue, at most 63 letters, digits, dashes, dots and underscores", k.Queue)
	case k.Mount != "" && !filepath.IsAbs(k.Mount):
		return fmt.Errorf("--mount %q: want a path from the root, such as /data", k.Mount)
	}
	for _, r := range k.Resources {
		name, amount, ok := strings.Cut(r, "=")
		if !ok || !resourceName.MatchString(name) || !quantity.MatchString(amount) {
			return fmt.Errorf("--resource %q: want NAME=QUANTITY, such as nvidia.com/gpu=1 or cpu=8", r)
		}
	}
	return nil
}

// kubernetes writes an Indexed Job for each array.
type kubernetes struct {
	handedOver
	w *workspace.Workspace
	Kubernetes
}

func newKubernetes(w *workspace.Workspace, o Options) engine {
	return &kubernetes{handedOver{"bierbench does not ask Kubernetes: kubectl get jobs"}, w, o.Kubernetes}
}

// mostIndexes bounds an array: a Job that counts the failures of each index runs 10,000 pods at most
// at a time, and parallelism may be all of them.
const mostIndexes = 10_000

// limit checks that pods will see what they need.
func (e *kubernetes) limit(context.Context) (int, error) {
	if err := e.check(); err != nil {
		return 0, err
	}
	mount, err := e.mount()
	if err != nil {
		return 0, err
	}
	for what, dir := range map[string]string{"workspace": e.w.Dir, "cache": e.w.Cache.Dir} {
		path, err := filepath.Abs(dir)
		if err != nil {
			return 0, err
		}
		if inside, err := filepath.Rel(mount, path); err != nil || inside == ".." || strings.HasPrefix(inside, "../") {
			return 0, fmt.Errorf("the %s %s is not below %s, so pods would not see it: name the folder that the claim %s is here with "+
				"--mount, and a cache inside it with BIERBENCH_CACHE", what, path, mount, e.Claim)
		}
	}
	return mostIndexes, nil
}

// mount returns the path of the claim, here and in the pods.
func (e *kubernetes) mount() (string, error) {
	if e.Mount != "" {
		return filepath.Clean(e.Mount), nil
	}
	return filepath.Abs(e.w.Dir)
}

// send writes kubernetes-features.yaml and kubernetes-cells.yaml, where there are such arrays.
//
// A Job cannot wait for another one, so the two are files of their own, to be created one after the
// other. Nothing breaks where they are not: a cell whose features are missing computes them, or waits
// for the process that does.
func (e *kubernetes) send(_ context.Context, s *Submission) error {
	mount, err := e.mount()
	if err != nil {
		return err
	}
	for _, part := range []string{"features", "cells"} {
		text, err := e.jobs(s, part, mount)
		if err != nil {
			return err
		}
		if text == nil {
			continue
		}
		file := s.path("kubernetes-" + part + ".yaml")
		if err := runs.WriteFile(file, text, 0o644); err != nil {
			return err
		}
		s.Files = append(s.Files, file)
	}
	return s.save()
}

// jobs returns the Jobs of the arrays of a part as YAML, nil where it has none, and notes their names.
func (e *kubernetes) jobs(s *Submission, part, mount string) ([]byte, error) {
	var text bytes.Buffer
	for i := range s.Arrays {
		a := &s.Arrays[i]
		if (a.Features != nil) != (part == "features") {
			continue
		}
		job := e.job(s, *a, part, mount)
		a.Job = job.Metadata.Name
		document, err := yaml.MarshalWithOptions(job, yaml.IndentSequence(true))
		if err != nil {
			return nil, fmt.Errorf("array %s: %w", a.Name, err)
		}
		text.WriteString("---\n")
		text.Write(document)
	}
	return text.Bytes(), nil
}

// The exit codes after which another attempt would do the same: a failed cell, which later attempts
// leave alone, and a wrong command line.
const (
	exitFailed = 1
	exitUsage  = 2
)

// attempts is how often a task is tried again where its process was killed, for want of memory or
// time. A cell goes on from its checkpoint. Evicted pods do not count.
const attempts = 3

// saveSeconds is how long a task that is told to end may take to save its cell.
const saveSeconds = 60

// The part of a Job of batch/v1 that submissions use, with the names of its fields,
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/.
type (
	kubeJob struct {
		APIVersion string   `yaml:"apiVersion"`
		Kind       string   `yaml:"kind"`
		Metadata   kubeMeta `yaml:"metadata"`
		Spec       kubeSpec `yaml:"spec"`
	}
	kubeMeta struct {
		Name   string            `yaml:"name,omitempty"`
		Labels map[string]string `yaml:"labels"`
	}
	kubeSpec struct {
		Suspend              bool              `yaml:"suspend,omitempty"`
		CompletionMode       string            `yaml:"completionMode"`
		Completions          int               `yaml:"completions"`
		Parallelism          int               `yaml:"parallelism"`
		BackoffLimitPerIndex int               `yaml:"backoffLimitPerIndex"`
		PodFailurePolicy     kubeFailurePolicy `yaml:"podFailurePolicy"`
		Template             kubeTemplate      `yaml:"template"`
	}
	kubeFailurePolicy struct {
		Rules []kubeFailureRule `yaml:"rules"`
	}
	kubeFailureRule struct {
		Action          string          `yaml:"action"`
		OnExitCodes     *kubeExitCodes  `yaml:"onExitCodes,omitempty"`
		OnPodConditions []kubeCondition `yaml:"onPodConditions,omitempty"`
	}
	kubeExitCodes struct {
		ContainerName string `yaml:"containerName"`
		Operator      string `yaml:"operator"`
		Values        []int  `yaml:"values"`
	}
	kubeCondition struct {
		Type   string `yaml:"type"`
		Status string `yaml:"status"`
	}
	kubeTemplate struct {
		Metadata kubeMeta `yaml:"metadata"`
		Spec     kubePod  `yaml:"spec"`
	}
	kubePod struct {
		RestartPolicy string          `yaml:"restartPolicy"`
		Deadline      int64           `yaml:"activeDeadlineSeconds,omitempty"`
		Grace         int             `yaml:"terminationGracePeriodSeconds"`
		Containers    []kubeContainer `yaml:"containers"`
		Volumes       []kubeVolume    `yaml:"volumes"`
	}
	kubeContainer struct {
		Name      string        `yaml:"name"`
		Image     string        `yaml:"image"`
		Command   []string      `yaml:"command"`
		Resources kubeResources `yaml:"resources"`
		Mounts    []kubeMount   `yaml:"volumeMounts"`
	}
	kubeResources struct {
		Requests map[string]string `yaml:"requests,omitempty"`
		Limits   map[string]string `yaml:"limits,omitempty"`
	}
	kubeMount struct {
		Name string `yaml:"name"`
		Path string `yaml:"mountPath"`
	}
	kubeVolume struct {
		Name  string    `yaml:"name"`
		Claim kubeClaim `yaml:"persistentVolumeClaim"`
	}
	kubeClaim struct {
		Name string `yaml:"claimName"`
	}
)

// job returns the Job of an array: index i is its task i+1.
func (e *kubernetes) job(s *Submission, a Array, part, mount string) kubeJob {
	const container, volume = "task", "workspace"
	labels := map[string]string{
		"app.kubernetes.io/name": "bierbench", "app.kubernetes.io/instance": kubeName(s.Run+"-"+s.Name, 63),
		"app.kubernetes.io/component": part,
	}
	resources := map[string]string{}
	if a.Memory > 0 {
		resources["memory"] = fmt.Sprintf("%dMi", a.Memory>>20)
	}
	for _, r := range e.Resources { // the user's come last and win
		name, amount, _ := strings.Cut(r, "=")
		resources[name] = amount
	}
	job := kubeJob{
		APIVersion: "batch/v1", Kind: "Job",
		Metadata: kubeMeta{
			// A pod is called <job>-<index>, which is a host name too.
			Name:   kubeName("bierbench-"+s.Run+"-"+s.Name+"-"+a.Name, 63-len("-")-len(fmt.Sprint(mostIndexes))),
			Labels: labels,
		},
		Spec: kubeSpec{
			CompletionMode: "Indexed", Completions: len(a.Cells), Parallelism: len(a.Cells), BackoffLimitPerIndex: attempts,
			PodFailurePolicy: kubeFailurePolicy{[]kubeFailureRule{
				{Action: "Ignore", OnPodConditions: []kubeCondition{{"DisruptionTarget", "True"}}},
				{Action: "FailIndex", OnExitCodes: &kubeExitCodes{container, "In", []int{exitFailed, exitUsage}}},
			}},
			Template: kubeTemplate{
				Metadata: kubeMeta{Labels: labels},
				Spec: kubePod{
					RestartPolicy: "Never", Deadline: a.Seconds, Grace: saveSeconds,
					Containers: []kubeContainer{{
						Name: container, Image: e.Image, Command: []string{s.script(a)},
						Resources: kubeResources{resources, resources}, Mounts: []kubeMount{{volume, mount}},
					}},
					Volumes: []kubeVolume{{volume, kubeClaim{e.Claim}}},
				},
			},
		},
	}
	if s.Parallel > 0 {
		job.Spec.Parallelism = min(s.Parallel, len(a.Cells))
	}
	if e.Queue != "" { // Kueue lets it go when there is room
		job.Metadata.Labels = maps.Clone(labels)
		job.Metadata.Labels["kueue.x-k8s.io/queue-name"] = e.Queue
		job.Spec.Suspend = true
	}
	return job
}

// kubeName returns a name as a DNS label of at most so many characters. A name that is not one as it
// is gets a digest, so that two names stay two.
func kubeName(name string, most int) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name)
	label = strings.Trim(label, "-")
	if label == name && len(label) <= most {
		return label
	}
	sum := sha256.Sum256([]byte(name))
	digest := "-" + hex.EncodeToString(sum[:])[:8]
	return strings.Trim(label[:min(len(label), most-len(digest))]+digest, "-")
}
