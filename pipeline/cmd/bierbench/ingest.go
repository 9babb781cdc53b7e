package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/datasets"
	"bierbench/pipeline"
)

func newIngestCommand(a *app) *cobra.Command {
	o := datasets.DefaultIngestOptions()
	var fetch fetchOptions
	cmd := &cobra.Command{
		Use:   "ingest NAME... --raw DIR",
		Short: "Read raw data sets, published or your own, and write Arrow files",
		Long: `ingest reads ` + setNames(datasets.Published()) + ` in their published layouts and
checks every count of the official lists; all stands for every one that is found
under DIR. Data of your own get a name with --custom NAME, and are read from
  folder   class folders; train, test or query, gallery may lie above them
  csv      a table with the columns path and label, or those of open-metric-learning
  parquet  Parquet files of images, as Hugging Face's datasets writes them
Where they do not say which classes train, --train-classes does.

ingest writes datasets/<name>/<variant>/. Where that folder already holds the same,
nothing is written. An ingest that was interrupted or killed goes on from the last
whole part when the same command is given again, with any --workers.`,
		Example: `  bierbench ingest cub --raw DIR
  bierbench ingest cub --raw CUB_200_2011.tgz
  bierbench ingest cub --raw DIR --fetch
  bierbench ingest folder --raw DIR --custom mine --train-classes first-half
  bierbench ingest csv --raw table.csv --images DIR --custom shoes
  bierbench ingest cub --raw DIR --allow-missing --precropped
  bierbench ingest sop --raw DIR --custom grocery
  bierbench ingest all --raw DIR`,
		Args:      wantArgs(1, -1, "the name of a data set, or all"),
		ValidArgs: append(datasetNames(), "all"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.workspace()
			if err != nil {
				return err
			}
			if len(args) > 1 || args[0] != "all" {
				if err = checkSets(args); err != nil {
					return err
				}
			}
			if cmd.Flags().Changed("crop") && o.Precropped {
				return usageError{fmt.Errorf("--precropped and --crop: images that are cropped to their boxes already cannot be cropped again")}
			}
			o.Out = w.Dir // replaced by the workspace's folder; here only to check the rest
			if err = checkIngest(o, args); err != nil {
				return usageError{fmt.Errorf("--%w", err)} // which begins with the name of the option
			}
			if fetch.fetch {
				if o.Raw, err = fetch.run(cmd, a, w, args, o.Raw); err != nil {
					return err
				}
			} else if fetch.accepted {
				return usageError{errors.New("--accept-licence: it goes with --fetch")}
			}
			results, err := pipeline.Ingest(cmd.Context(), w, args, o)
			if err != nil && len(results) == 0 {
				return err
			}
			printed := a.print(results, func(out io.Writer) error { return printIngest(out, results) })
			if err != nil {
				return err
			}
			return printed
		},
	}
	fetch.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.Raw, "raw", "", "`DIR` of the data set as it was published, the folder that holds it, or an archive (.zip, .tar, .tgz); of own data, a file too")
	f.BoolVar(&o.AllowMissing, "allow-missing", false, "ingest the images that exist, and record those that are missing")
	f.BoolVar(&o.FollowLinks, "follow-links", false, "read images through symbolic links that lead out of the folder")
	f.StringVar(&o.Custom, "custom", "", "`NAME` of lists that match no published release; it goes into every record")
	f.StringVar(&o.TrainClasses, "train-classes", "", "which classes of your own data train: first-half, N%, or a `FILE` with a class name in each line")
	f.StringVar(&o.Images, "images", "", "csv: the `DIR` that paths are relative to (default: that of the table)")
	f.StringVar(&o.Crop, "crop", o.Crop, "`CROP` of the images: none or box")
	f.BoolVar(&o.Precropped, "precropped", false, "the images are already cropped to their boxes")
	f.IntVar(&o.Size, "size", o.Size, "shortest side of a stored image, in `PIXELS`; smaller images stay as they are")
	f.BoolVar(&o.Pad, "pad", false, "scale the longest side to --size and pad the image to a white square")
	f.StringVar(&o.Store, "store", o.Store, "`FORMAT` of stored images: jpeg, or rgb (raw pixels; needs --pad)")
	f.StringVar(&o.Report, "report", "", "`DIR` for <set>.<variant>.csv: what became of every row of the lists, and every file that no row names")
	f.IntVar(&o.Workers, "workers", o.Workers, "`N` images are decoded at a time")
	f.Float64Var(&o.MaxQuarantine, "max-quarantine", o.MaxQuarantine, "largest `SHARE` of broken images that is not an error")
	return cmd
}

// checkIngest returns an error for options that are out of their range, or do not fit the data sets.
func checkIngest(o datasets.IngestOptions, names []string) error {
	if err := o.Validate(); err != nil {
		return err
	}
	for _, name := range names {
		set, err := datasets.Lookup(name)
		if err != nil {
			set = datasets.Published()[0] // all stands for these
		}
		if err = o.ValidateFor(set); err != nil {
			return err
		}
	}
	return nil
}

// checkSets returns a usage error for an argument, such as cub or sop/grocery, that names no data
// set.
func checkSets(args []string) error {
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "/")
		if _, err := datasets.Lookup(name); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// datasetNames returns the names of the data sets.
func datasetNames() []string {
	var out []string
	for _, s := range datasets.All() {
		out = append(out, s.Name)
	}
	return out
}

// setNames returns the names of data sets in words.
func setNames(sets []datasets.Set) string {
	var names []string
	for _, s := range sets {
		names = append(names, s.Name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// printIngest prints the counts of each data set, and what was left out.
func printIngest(out io.Writer, results []pipeline.IngestResult) error {
	for _, r := range results {
		m := r.Manifest
		verb := "up to date"
		if r.Fresh {
			verb = fmt.Sprintf("written in %.1f s (%.0f images/s)", r.Seconds, float64(m.Rows)/r.Seconds)
			if m.Resumed > 0 {
				verb = fmt.Sprintf("went on from %s of an interrupted ingest, written in %.1f s", counted(m.Resumed, "image"), r.Seconds)
			}
		}
		fmt.Fprintf(out, "%s (%s, %s): %s, %s\n", m.Set, m.Release, m.Layout, r.Dir, verb)
		for _, split := range slices.Sorted(maps.Keys(m.Counts)) {
			fmt.Fprintf(out, "  %-8s %6d images, %5d classes\n", split, m.Counts[split], m.Classes[split]) // a table
		}
		if m.Options.HighRes {
			fmt.Fprintln(out, "  the images are of high resolution; results are labelled +highres")
		}
		if m.Unlisted > 0 {
			fmt.Fprintf(out, "  left out: %s in no split list\n", counted(m.Unlisted, "image"))
		}
		if m.Receipt != nil && m.Receipt.Unnamed+m.Receipt.Litter > 0 {
			fmt.Fprintf(out, "  not read: %s that no row names, %s of macOS or Windows\n",
				counted(m.Receipt.Unnamed, "image"), counted(m.Receipt.Litter, "file"))
		}
		if n := len(m.Missing); n > 0 {
			fmt.Fprintf(out, "  missing: %s; results are labelled +subset\n", counted(n, "listed image"))
		}
		for _, q := range m.Quarantine {
			fmt.Fprintf(out, "  quarantined: %s (%s): %s\n", q.Name, q.Line, q.Reason)
		}
	}
	return nil
}
