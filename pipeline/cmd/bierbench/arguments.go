package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bierbench/pipeline/suite"
)

// wantArgs checks that a command gets from low to high arguments; any number where high is below 0.
// what says in words what one of them is: "a run".
func wantArgs(low, high int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		usage := strings.TrimSuffix(cmd.UseLine(), " [flags]")
		switch {
		case len(args) < low:
			return usageError{fmt.Errorf("%s: want %s: %s", cmd.Name(), what, usage)}
		case high >= 0 && len(args) > high:
			return usageError{fmt.Errorf("%s: want %s and no more, got %s: %s", cmd.Name(), what, quoted(args), usage)}
		}
		return nil
	}
}

// noArgs checks that a command gets no arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s: want no argument, got %s", cmd.Name(), quoted(args))}
	}
	return nil
}

// wantCommand is the check of the root command's arguments: what it gets is no command.
func wantCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("unknown command %q%s", args[0], suggestedCommand(root, args[0]))}
}

// suggestedCommand returns "; did you mean ...?" with the commands that are like a word.
func suggestedCommand(root *cobra.Command, word string) string {
	like := root.SuggestionsFor(word)
	if len(like) == 0 {
		return ""
	}
	return "; did you mean " + quoted(like) + "?"
}

// quoted returns words in quotes.
func quoted(words []string) string {
	in := make([]string, len(words))
	for i, w := range words {
		in[i] = strconv.Quote(w)
	}
	return strings.Join(in, ", ")
}

// newHelpCommand returns the command help. Unlike cobra's own it fails where there is nothing to
// help with.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show what a command or a help topic says of itself",
		Example: "  bierbench help run\n  bierbench help losses",
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, c := range cmd.Root().Commands() {
				if !c.Hidden && strings.HasPrefix(c.Name(), begun) {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			about, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				word := strings.Join(args, " ")
				return usageError{fmt.Errorf("help: no command or topic %q%s", word, suggestedCommand(root, word))}
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// flagError says in words what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := "-" + unknown.GetSpecifiedName()
		var known []string
		if unknown.GetSpecifiedShortnames() == "" {
			name = "-" + name
			cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		}
		err = fmt.Errorf("unknown flag %s%s", name, suite.Suggestion(name, known))
	} else if bare, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		err = fmt.Errorf("--%s: want a value", bare.GetFlag().Name)
	} else if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		want := map[string]string{
			"int": "a whole number", "uint64": "a whole number from 0 on", "float64": "a number", "bool": "true or false",
			"duration": "a time such as 30s or 5m",
		}[invalid.GetFlag().Value.Type()]
		if want == "" {
			want = errors.Unwrap(invalid).Error()
		} else {
			want = "want " + want
		}
		err = fmt.Errorf("--%s %q: %s", invalid.GetFlag().Name, invalid.GetValue(), want)
	}
	return usageError{err}
}

// numbers is the value of a flag that takes numbers, separated by commas.
type numbers []float64

// String returns the numbers as one types them.
func (n numbers) String() string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint([]float64(n))), ","), "[]")
}

// Set replaces the numbers.
func (n *numbers) Set(text string) error {
	var read []float64
	for part := range strings.SplitSeq(text, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return errors.New("want numbers, separated by commas")
		}
		read = append(read, x)
	}
	*n = read
	return nil
}

// Type names the kind of value in help texts.
func (numbers) Type() string { return "numbers" }
