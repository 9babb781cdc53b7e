package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bierbench/models/cache"
	"bierbench/models/xla"
	"bierbench/pipeline/workspace"
)

// app is what all commands share: the global flags and the outputs. Results go to stdout, logs and
// progress bars to stderr.
type app struct {
	stdout, stderr *os.File
	program        string   // the file of this program; empty where it is not bierbench's, as in tests
	args           []string // the command line, without the program
	dir            string
	backend        string
	devices        int
	gpuMemory      float64 // 0 when not given
	json           bool
	quiet          bool
	logLevel       string
	printed        bool // a result has been printed

	open     *workspace.Workspace
	progress *progress // bars on stderr; nil where none are shown
	events   *events   // on stdout, of a streaming command with --json; else nil
}

// newRootCommand returns the root command with every command.
func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "bierbench",
		Short: "Benchmark boosted embedding ensembles for image retrieval",
		Long: `bierbench prepares five image-retrieval benchmarks once, trains boosted embedding
ensembles (BIER, A-BIER) and their baselines, and says which differences are real.

Exit codes: 0 ok, 1 failed, 2 usage, 3 regression (diff --fail), 130 interrupted.`,
		Example: `  bierbench demo
  bierbench ingest cub --raw DIR
  bierbench run quick
  bierbench report quick
  bierbench diff quick --base baseline`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          wantCommand,

		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !a.json {
				_ = cmd.Help()
			}
			return usageError{errors.New("want a command")}
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.dir, "workspace", "C", ".", "workspace `DIR`: datasets, models, runs and reports are written there")
	flags.StringVar(&a.backend, "backend", "", "`BACKEND` that computes: xla:cpu, xla:cuda or go (default: xla:cuda where there is one, else xla:cpu)")
	flags.IntVar(&a.devices, "devices", 1, "`N` devices of the backend share the work of every cell")
	flags.Float64Var(&a.gpuMemory, "gpu-memory", 0, "`FRACTION` of each GPU's memory that a process takes at most (default: the plugin's own limit)")
	flags.BoolVar(&a.json, "json", false, "print results and errors as JSON")
	flags.BoolVar(&a.quiet, "quiet", false, "no progress bar, no log below warnings")
	flags.StringVar(&a.logLevel, "log-level", "info", "lowest `LEVEL` that is logged: debug, info, warn or error")
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if a.json && streams(cmd) {
			a.events = newEvents(a.stdout, a.quiet)
		}
	}
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelpCommand())
	root.AddCommand(
		newSetupCommand(a), newDoctorCommand(a),
		streaming(keeping(newIngestCommand(a))), streaming(newVerifyCommand(a)), newInspectCommand(a), newAuditCommand(a),
		newPlanCommand(a), streaming(keeping(newRunCommand(a))), newVerifyResumeCommand(a), streaming(newEvaluateCommand(a)),
		streaming(newRescoreCommand(a)), streaming(keeping(newWorthCommand(a))),
		streaming(keeping(newSubmitCommand(a))), newStatusCommand(a), streaming(keeping(newMergeCommand(a))), keeping(newFeaturesCommand(a)),
		streaming(newScoreCommand(a)),
		newReportCommand(a), newDiffCommand(a), newTrendCommand(a), newNoiseCommand(a), newExportCommand(a),
		newListCommand(a), newShowCommand(a), streaming(keeping(newDemoCommand(a))), newMiniCommand(a),
		newEventsTopic(),
		newLossesTopic(),
		newDialectsTopic(),
		newOpenBackendCommand(a),
	)
	return root
}

// workspace returns the workspace that the global flags describe, the same one at each call.
func (a *app) workspace() (*workspace.Workspace, error) {
	if a.open != nil {
		return a.open, nil
	}
	if backends := []string{xla.CPU, xla.CUDA, xla.Go}; a.backend != "" && !slices.Contains(backends, a.backend) {
		return nil, usageError{fmt.Errorf("--backend %q: want %s", a.backend, strings.Join(backends, ", "))}
	}
	if a.devices < 1 {
		return nil, usageError{fmt.Errorf("--devices %d: want at least 1", a.devices)}
	}
	if err := xla.CheckGPUMemory(a.gpuMemory, a.backend); err != nil {
		return nil, usageError{fmt.Errorf("--gpu-memory: %w", err)}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level %q: want debug, info, warn or error", a.logLevel)}
	}
	if a.quiet {
		level = max(level, slog.LevelWarn)
	}
	var to io.Writer = a.stderr
	terminal := newScreen(a.stderr)
	if terminal != nil {
		to = terminal // which writes above the bars
	}
	log := slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
	cache, err := cache.Default()
	if err != nil { // most commands need none, and what needs one says this
		log.Debug("nothing can be installed", "reason", err)
	}
	var watch workspace.Progress
	switch {
	case a.events != nil:
		watch = a.events
	case !a.quiet && !a.json:
		a.progress = newProgress(a.stderr, terminal, log)
		watch = a.progress
	}
	a.open = workspace.New(workspace.Workspace{
		Dir: a.dir, Backend: a.backend, Devices: a.devices, GPUMemory: a.gpuMemory, Command: append([]string{"bierbench"}, a.args...), Cache: cache, Log: log, Progress: watch,
	})
	if a.program != "" {
		a.open.Opener = append([]string{a.program, openBackendName, "--quiet"}, a.backendArguments()...)
	}
	return a.open, nil
}

// close removes the bars and closes the workspace.
func (a *app) close() {
	a.endProgress()
	if a.open != nil {
		a.open.Close()
	}
}

// endProgress removes the bars: other output follows on the terminal.
func (a *app) endProgress() {
	if a.progress != nil {
		a.progress.close()
	}
}

// print prints a result: with --json as the last event or as a JSON value, else by text.
func (a *app) print(value any, text func(w io.Writer) error) error {
	a.printed = true
	a.endProgress()
	if a.events != nil {
		return a.events.emit(resultEvent{event: newEvent(eventResult), Result: value})
	}
	if a.json {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
	return a.printText(text)
}

// printText prints text on stdout as a whole, with its control characters escaped: parts of it may
// come from a record or from a file name, and a terminal would obey them.
func (a *app) printText(text func(w io.Writer) error) error {
	var whole bytes.Buffer
	err := text(&whole)
	_, failed := io.WriteString(a.stdout, escaped(whole.String()))
	return errors.Join(err, failed)
}

// printError says as JSON that a command failed: on stdout or, if a result was printed already, on
// stderr. So stdout is one JSON value, or ends with the event that says how the command ended.
func (a *app) printError(cmd *cobra.Command, err error, code int) {
	out := a.stdout
	if a.printed {
		out = a.stderr
	}
	var value any = map[string]any{"error": err.Error(), "code": code}
	if streams(cmd) {
		value = errorEvent{event: newEvent(eventError), Error: err.Error(), Code: code}
	}
	_ = json.NewEncoder(out).Encode(value) // nothing is left to report an error to
}

// completeRuns offers the IDs of the workspace's runs to the completion of a shell.
func (a *app) completeRuns(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	w, err := a.workspace()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	infos, err := w.Runs().List()
	if err != nil && len(infos) == 0 {
		return nil, cobra.ShellCompDirectiveError
	}
	ids := make([]cobra.Completion, len(infos))
	for i, info := range infos {
		ids[i] = info.ID
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// alignColumns prints tab-separated lines with their columns aligned.
func alignColumns(w io.Writer, lines func(w io.Writer)) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	lines(t)
	return t.Flush()
}
