package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/datasets"
	"bierbench/pipeline"
	"bierbench/pipeline/workspace"
)

// fetchOptions are the flags of ingest that fetch archives.
type fetchOptions struct {
	fetch    bool
	accepted bool // the licence
}

// addFlags adds the flags.
func (o *fetchOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.fetch, "fetch", false, "download the publisher's archive into the folder of --raw first")
	f.BoolVar(&o.accepted, "accept-licence", false, "accept the licence that --fetch shows")
}

// run fetches the archive of the one set in args into the folder raw and returns the archive's path. Where
// the licence is not accepted, it shows licence and citation, and returns a usage error that says how to go
// on.
func (o *fetchOptions) run(cmd *cobra.Command, a *app, w *workspace.Workspace, args []string, raw string) (string, error) {
	if len(args) != 1 || args[0] == "all" {
		return "", usageError{errors.New("--fetch: want the name of one data set")}
	}
	address, err := datasets.LookupAddress(args[0])
	if err != nil {
		return "", err
	}
	if !o.accepted {
		if err = a.print(address, func(out io.Writer) error { return printAddress(out, address) }); err != nil {
			return "", err
		}
		again := w.CommandLine("ingest", address.Set, "--raw", raw, "--fetch", "--accept-licence")
		return "", usageError{fmt.Errorf("--fetch: nothing was downloaded; if you accept the licence, run %q", again)}
	}
	return pipeline.Fetch(cmd.Context(), w, address, raw)
}

// printAddress prints what a licence is about, and what is downloaded.
func printAddress(out io.Writer, a datasets.Address) error {
	size := "of unknown size"
	if a.Bytes > 0 {
		size = fmt.Sprintf("%.1f GB", float64(a.Bytes)/1e9)
	}
	for _, line := range [][2]string{{"archive", a.URL + ", " + size}, {"page", a.Page}, {"licence", a.Licence}, {"cite", a.Citation}} {
		fmt.Fprintf(out, "%-8s %s\n", line[0], strings.TrimSpace(line[1]))
	}
	return nil
}
