package file

import (
	"context"
	"errors"
	"fmt"

	"brine/states/host"
	"brine/states/module"
)

// editFuncs change the text of files as the states of their names do.
var editFuncs = []module.Func{
	{Name: "blockreplace",
		Doc: `
			Put content between two marked lines of a file, and return the difference; false when nothing changed.`,
		Example: "/etc/hosts content='10.0.0.5 db' append_if_not_found=True", Do: module.Call(blockFunc)},
	{Name: "comment", Doc: "Make comments of the lines that a regular expression matches, and return the difference; false when none is left.",
		Example: "/etc/fstab ^/mnt/old", Do: module.Call(func(ctx context.Context, h *host.Host, a signArgs) (any, error) {
			return commentLine(ctx, h, signedArgs{a.onePath, a.Regex, a.Char, true, a.Bak})
		})},
	{Name: "comment_line", Doc: "Make comments of lines, or with cmnt=False lines of comments, and return the difference; false when there is none.",
		Example: "/etc/fstab ^/mnt/old cmnt=False", Do: module.Call(commentLine)},
	{Name: "uncomment", Doc: "Take the sign of a comment off the lines that a regular expression matches, and return the difference; false when none has it.",
		Example: "/etc/fstab ^/mnt/new", Do: module.Call(func(ctx context.Context, h *host.Host, a signArgs) (any, error) {
			return commentLine(ctx, h, signedArgs{a.onePath, a.Regex, a.Char, false, a.Bak})
		})},
}

type signArgs struct {
	onePath
	Regex expression `arg:"regex,required" doc:"regular expression of the lines without the sign; ^ and $ at its ends are not needed"`
	Char  string     `arg:"char" default:"#" doc:"the sign of a comment"`
	Bak   bakName    `arg:"backup" default:".bak" doc:"keep a copy of the old file with this at the end of its name; false: none"`
}

type signedArgs struct {
	onePath
	Regex   expression `arg:"regex,required" doc:"regular expression of the lines without the sign; ^ and $ at its ends are not needed"`
	Char    string     `arg:"char" default:"#" doc:"the sign of a comment"`
	Comment bool       `arg:"cmnt" default:"true" doc:"false: take the sign off"`
	Bak     bakName    `arg:"backup" default:".bak" doc:"keep a copy of the old file with this at the end of its name; false: none"`
}

func commentLine(ctx context.Context, h *host.Host, a signedArgs) (any, error) {
	name, err := absPath(ctx, h, a.Path)
	if err != nil {
		return nil, err
	}
	var plan module.Plan
	if a.Comment {
		plan, err = planComment(ctx, h, commentArgs{Name: name, Regex: a.Regex, Char: a.Char, Bak: a.Bak, Ignore: true})
	} else {
		plan, err = planUncomment(ctx, h, uncommentArgs{Name: name, Regex: a.Regex, Char: a.Char, Bak: a.Bak})
	}
	if errors.As(err, new(noLine)) {
		return false, nil
	}
	if errors.Is(err, errNotThere) {
		return nil, notFound(a.Path)
	}
	if err != nil {
		return nil, err
	}
	return carryOut(ctx, plan, false)
}

// carryOut does what a plan says, and returns the difference of the text; false when there is nothing to do.
func carryOut(ctx context.Context, plan module.Plan, dry bool) (any, error) {
	var diff any = false
	for _, step := range plan.Steps {
		diff, _ = step.Changes.Get("diff")
		if dry {
			continue
		}
		if _, err := step.Do(ctx); err != nil {
			return nil, err
		}
	}
	return diff, nil
}

type blockFuncArgs struct {
	onePath
	Start   string     `arg:"marker_start" default:"#-- start managed zone --" doc:"text of the line that begins the block; the line is kept whole"`
	End     string     `arg:"marker_end" default:"#-- end managed zone --" doc:"text of the line that ends the block"`
	Content text       `arg:"content" doc:"what is between the markers: text, or a list of lines"`
	Append  bool       `arg:"append_if_not_found" doc:"add markers and block at the end when the markers are not there"`
	Prepend bool       `arg:"prepend_if_not_found" doc:"the same at the beginning"`
	Bak     bakName    `arg:"backup" default:".bak" doc:"keep a copy of the old file with this at the end of its name; false: none"`
	DryRun  bool       `arg:"dry_run" doc:"change nothing"`
	Show    bool       `arg:"show_changes" default:"true" doc:"false: return whether something changed"`
	Newline *bool      `arg:"append_newline" doc:"end the content with a newline; false: do not; absent: unless it has one"`
	Before  expression `arg:"insert_before_match" doc:"add markers and block before the first line that this matches"`
	After   expression `arg:"insert_after_match" doc:"the same after it"`
}

func blockFunc(ctx context.Context, h *host.Host, a blockFuncArgs) (any, error) {
	name, err := absPath(ctx, h, a.Path)
	if err != nil {
		return nil, err
	}
	plan, err := planBlock(ctx, h, blockArgs{
		Name: name, Start: a.Start, End: a.End, Content: a.Content, Append: a.Append, Prepend: a.Prepend,
		Before: a.Before, After: a.After, Newline: a.Newline, Bak: a.Bak,
	})
	if errors.Is(err, errNotThere) {
		return nil, notFound(a.Path)
	}
	if err != nil {
		return nil, err
	}
	diff, err := carryOut(ctx, plan, a.DryRun)
	if err != nil {
		return nil, fmt.Errorf("cannot edit %s: %w", a.Path, err)
	}
	if !a.Show {
		return diff != false, nil
	}
	return diff, nil
}
