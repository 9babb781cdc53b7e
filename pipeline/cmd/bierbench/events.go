package main

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"bierbench/pipeline/submit"
	"bierbench/runs"
)

// The kinds of events.
const (
	eventCell     = "cell"
	eventProgress = "progress"
	eventStep     = "step"
	eventTask     = "task"
	eventResult   = "result"
	eventError    = "error"
)

// eventsHelp documents the events.
const eventsHelp = `With --json, a command that takes long (demo, evaluate, ingest, merge, rescore,
run, score, submit, verify, worth, show --follow) prints events: one JSON object a
line, each with "time" (RFC 3339, UTC) and "event", which says what else it holds.

  event     fields
  cell      a cell changed its state: "cell" (its path), "state" (started, done,
            failed; with show --follow also planned, running, interrupted,
            broken), "number" and
            "total" (of the cells that this command does), when done "seconds" and
            "metrics" (protocol -> metric -> fraction) and "chosen" (how the model was
            chosen, where it is not the last), when failed "error"
  progress  how far a stage is, at most once a second: "stage", "done", "total" (0
            where it is not known), "note" (such as the loss); none with --quiet
  step      show --follow only: a training step, at most once a second and cell:
            "cell", "step", "loss", "learning_rate", "training_seconds"
  task      submit --engine local only: a task ended: "task" (its id), "cell",
            "features" (it computed the features that the cell reads), "state" (done or
            failed), "number" and "total", "seconds", when failed "error" and "log"
            (a file)
  result    the last line of a command that did its work: "result", the value that
            a command without events prints alone
  error     the last line of one that did not: "error" (a sentence), "code" (the
            exit code)

A run with failed cells ends with its result; the exit code is 1 all the same, and
the error is on stderr. All other commands print one JSON value with --json.`

// newEventsTopic returns the help topic about events: a command that does nothing.
func newEventsTopic() *cobra.Command {
	return &cobra.Command{Use: "events", Short: "What commands print with --json while they work", Long: eventsHelp}
}

// event holds the fields of every event. The other types add theirs; a field without a value is
// left out.
type event struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"`
}

// cellEvent is a new state of a cell.
type cellEvent struct {
	event
	Cell    string                        `json:"cell"`
	State   string                        `json:"state"`
	Number  int                           `json:"number,omitempty"`
	Total   int                           `json:"total,omitempty"`
	Seconds float64                       `json:"seconds,omitempty"`
	Metrics map[string]map[string]float64 `json:"metrics,omitempty"`
	Chosen  string                        `json:"chosen,omitempty"` // how the evaluated model was chosen, where it is not the last
	Error   string                        `json:"error,omitempty"`
}

// progressEvent is the progress of a stage.
type progressEvent struct {
	event
	Stage string `json:"stage"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
	Note  string `json:"note,omitempty"`
}

// stepEvent is a step of a training.
type stepEvent struct {
	event
	Cell    string  `json:"cell"`
	Step    int     `json:"step"`
	Loss    float64 `json:"loss"`
	Rate    float64 `json:"learning_rate"`
	Seconds float64 `json:"training_seconds"`
}

// taskEvent is the end of a task.
type taskEvent struct {
	event
	Task     string  `json:"task"`
	Cell     string  `json:"cell"`
	Features bool    `json:"features"`
	State    string  `json:"state"`
	Number   int     `json:"number"`
	Total    int     `json:"total"`
	Seconds  float64 `json:"seconds"`
	Error    string  `json:"error,omitempty"`
	Log      string  `json:"log,omitempty"`
}

// resultEvent is the result of a command.
type resultEvent struct {
	event
	Result any `json:"result"`
}

// errorEvent is the error of a command.
type errorEvent struct {
	event
	Error string `json:"error"`
	Code  int    `json:"code"`
}

// events writes events. It is the Progress of a command that prints them.
type events struct {
	quiet bool // leave out progress

	mu      sync.Mutex
	encoder *json.Encoder
	cell    string
	stage   progressEvent
	said    time.Time // when the last progress of the stage was told
}

// newEvents returns a writer of events.
func newEvents(out io.Writer, quiet bool) *events {
	return &events{quiet: quiet, encoder: json.NewEncoder(out)}
}

// streaming marks a command that prints events with --json.
func streaming(cmd *cobra.Command) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations["events"] = "always"
	return cmd
}

// streams reports whether a command prints events with --json: it always does, or it follows a run.
func streams(cmd *cobra.Command) bool {
	follow := cmd.Flags().Lookup("follow")
	return cmd.Annotations["events"] != "" || (follow != nil && follow.Value.String() == "true")
}

// newEvent returns the common fields of an event that happens now.
func newEvent(kind string) event { return event{Time: time.Now().UTC(), Event: kind} }

// emit writes one event.
func (e *events) emit(value any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.encoder.Encode(value)
}

// Cell tells that a cell begins.
func (e *events) Cell(k runs.Key, number, total int) {
	e.cell = k.Path()
	e.tell(cellEvent{event: newEvent(eventCell), Cell: e.cell, State: "started", Number: number, Total: total})
}

// CellEnded tells how a cell ended.
func (e *events) CellEnded(c runs.Cell, number, total int, err error) {
	told := cellEvent{event: newEvent(eventCell), Cell: e.cell, State: runs.Done, Number: number, Total: total}
	if c.Dataset != "" { // a cell that failed at once may have no record
		told.Cell = c.Path()
	}
	if err != nil {
		told.State, told.Error = runs.Failed, err.Error()
	} else {
		told.Seconds, told.Metrics, told.Chosen = c.Timing["total"], metricsByProtocol(c), runs.SelectionLabel(c.Selection)
	}
	e.tell(told)
}

// task tells that a task has ended.
func (e *events) task(t submit.TaskEnd) {
	told := taskEvent{
		event: newEvent(eventTask), Task: t.Task, Cell: t.Cell, Features: t.Features, State: runs.Done,
		Number: t.Number, Total: t.Total, Seconds: t.Seconds, Error: t.Error, Log: t.Log,
	}
	if t.Error != "" {
		told.State = runs.Failed
	}
	e.tell(told)
}

// metricsByProtocol returns the metrics of a cell.
func metricsByProtocol(c runs.Cell) map[string]map[string]float64 {
	found := map[string]map[string]float64{}
	for _, evaluation := range c.Evaluations {
		found[evaluation.Protocol] = evaluation.Metrics
	}
	return found
}

// Start tells that a stage begins.
func (e *events) Start(stage string, total int) {
	e.stage = progressEvent{Stage: stage, Total: total}
	e.said = time.Time{}
	e.Advance(0, "")
}

// Advance tells how far the stage is, unless that was told less than a second ago.
func (e *events) Advance(done int, note string) {
	if e.quiet || time.Since(e.said) < time.Second {
		return
	}
	e.said = time.Now()
	e.stage.event, e.stage.Done, e.stage.Note = newEvent(eventProgress), done, note
	e.tell(e.stage)
}

// Finish tells nothing: the next event shows that the stage has ended.
func (*events) Finish() {}

// tell writes an event while the command works. Where that fails, writing the result fails as well,
// and that error is returned.
func (e *events) tell(value any) { _ = e.emit(value) }
