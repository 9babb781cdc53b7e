package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"bierbench/pipeline"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// followEvery is the time between two looks at a followed run.
const followEvery = time.Second

// follow prints what happens to a run or to one of its cells, until every cell has ended.
func (a *app) follow(ctx context.Context, w *workspace.Workspace, run, cell string) error {
	f, err := pipeline.Follow(w, run, cell)
	if err != nil {
		return err
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for began := true; ; began = false {
		seen, summary, err := f.Poll()
		if err != nil {
			return err
		}
		if began && a.events == nil && !summary.Ended() {
			if err = printSummary(a.stdout, summary); err != nil {
				return err
			}
		}
		for _, s := range seen {
			if a.events != nil {
				err = a.events.emit(followedEvent(s))
			} else {
				err = printFollowed(a.stdout, s)
			}
			if err != nil {
				return err
			}
		}
		if summary.Ended() {
			return a.print(summary, func(out io.Writer) error { return printSummary(out, summary) })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// followedEvent returns a change that a Follower saw, as an event.
func followedEvent(s pipeline.Followed) any {
	if s.Step != nil {
		return stepEvent{
			event: newEvent(eventStep), Cell: s.Cell, Step: s.Step.Step, Loss: s.Step.Loss, Rate: s.Step.Rate, Seconds: s.Step.Seconds,
		}
	}
	e := cellEvent{event: newEvent(eventCell), Cell: s.Cell, State: s.State}
	switch s.State {
	case runs.Done:
		e.Seconds, e.Metrics, e.Chosen = s.Record.Timing["total"], metricsByProtocol(s.Record), runs.SelectionLabel(s.Record.Selection)
	case runs.Failed:
		e.Error = s.Record.Error
	case plan.Broken:
		e.Error = s.Fault.Error()
	}
	return e
}

// printFollowed prints a change that a Follower saw.
func printFollowed(out io.Writer, s pipeline.Followed) error {
	line := fmt.Sprintf("%-11s %s", s.State, s.Cell)
	switch {
	case s.Step != nil:
		line = fmt.Sprintf("step %-6d %s loss %.4f, rate %.3g, %.1f s", s.Step.Step, s.Cell, s.Step.Loss, s.Step.Rate, s.Step.Seconds)
	case s.State == runs.Done:
		line += fmt.Sprintf(" %s %.1f s", recallText(s.Record), s.Record.Timing["total"])
	case s.State == plan.Failed:
		line += ": " + s.Record.Error
	case s.State == plan.Broken:
		line += ": " + s.Fault.Error()
	}
	_, err := fmt.Fprintln(out, time.Now().Format(time.TimeOnly), printable(line))
	return err
}

// printSummary prints the number of cells in each state.
func printSummary(out io.Writer, s pipeline.FollowSummary) error {
	broken := ""
	if s.Broken > 0 {
		broken = fmt.Sprintf(", %d broken", s.Broken)
	}
	_, err := fmt.Fprintf(out, "run %s: %d of %s done, %d failed, %d running, %d interrupted, %d not begun%s\n",
		s.Run, s.Done, counted(s.Cells, "cell"), s.Failed, s.Running, s.Interrupted, s.Planned, broken)
	return err
}
