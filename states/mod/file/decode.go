package file

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type decodeArgs struct {
	Name     string `arg:"name,required" doc:"the absolute path of the file"`
	Data     string `arg:"encoded_data" doc:"the encoded content"`
	Pillar   string `arg:"contents_pillar" doc:"the key of pillar that holds it, as in app:key"`
	Encoding string `arg:"encoding_type" default:"base64" doc:"base64; no other is known"`
	Checksum string `arg:"checksum" default:"md5" doc:"the hash by which changes are shown: md5, sha1, sha256, sha512"`
}

func (a *decodeArgs) manages() []string { return []string{a.Name} }
func (a *decodeArgs) wholeTree() bool   { return false }

// CheckArgs implements module.Checker.
func (a *decodeArgs) CheckArgs() error {
	errs := []error{atPath("name", a.Name)}
	switch {
	case a.Data == "" && a.Pillar == "":
		errs = append(errs, errors.New(`give one of the arguments "encoded_data" and "contents_pillar"`))
	case a.Data != "" && a.Pillar != "":
		errs = append(errs, exclude("encoded_data", "contents_pillar"))
	case a.Data != "":
		if _, err := decoded(a.Data); err != nil {
			errs = append(errs, fmt.Errorf("argument %q: %w", "encoded_data", err))
		}
	}
	if a.Encoding != "base64" {
		errs = append(errs, fmt.Errorf("argument %q: want base64, got %q", "encoding_type", a.Encoding))
	}
	if _, err := newHash(a.Checksum); err != nil {
		errs = append(errs, fmt.Errorf("argument %q: %w", "checksum", err))
	}
	return errors.Join(errs...)
}

// decoded decodes base64. As in Python what is not of its alphabet, such as line ends, does not count.
func decoded(text string) ([]byte, error) {
	letters := strings.Map(func(r rune) rune {
		if r < 0x80 && strings.ContainsRune("+/=", r) || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
	data, err := base64.StdEncoding.DecodeString(letters)
	if err != nil {
		return nil, fmt.Errorf("it is no base64: %v", err)
	}
	return data, nil
}

// content is what the file is to hold.
func (a *decodeArgs) content(h *host.Host) ([]byte, error) {
	if a.Data != "" {
		return decoded(a.Data)
	}
	if h.Pillar == nil {
		return nil, errors.New("cannot read contents_pillar: this minion has no pillar")
	}
	v, ok := traverse(h.Pillar, a.Pillar, ":")
	if !ok {
		return nil, fmt.Errorf("cannot take the content of the pillar %q: there is none", a.Pillar)
	}
	text, err := module.Data(v).Str()
	if err != nil {
		return nil, fmt.Errorf("cannot take the content of the pillar %q: %w", a.Pillar, err)
	}
	data, err := decoded(text)
	if err != nil {
		return nil, fmt.Errorf("cannot decode the pillar %q: %w", a.Pillar, err)
	}
	return data, nil
}

func planDecode(ctx context.Context, h *host.Host, a decodeArgs) (module.Plan, error) {
	plan := module.Plan{
		Same: "File is in the correct state.", Would: "File is set to be updated.", Did: "File was updated.",
	}
	data, err := a.content(h)
	if err != nil {
		return plan, err
	}
	s, err := find(h, a.Name, true)
	if err != nil {
		return plan, unsure("cannot write", a.Name, err)
	}
	defer s.leave()
	old, err := s.look()
	switch {
	case err != nil:
		return plan, err
	case len(s.missing) > 0:
		return plan, module.Unknown("cannot write %s: its directory is not there", a.Name)
	case old != nil && !old.isFile():
		return plan, fmt.Errorf("cannot write %s: it is a %s", a.Name, old.kind())
	}
	change, err := a.difference(ctx, s, old, data)
	if change == nil || err != nil {
		return plan, err
	}
	plan.Steps = []module.Step{doing(change, func(ctx context.Context) error {
		if err := s.decode(ctx, old, data); err != nil {
			return fmt.Errorf("cannot write %s: %w", a.Name, err)
		}
		return nil
	})}
	return plan, nil
}

// difference is how a change is shown, nil when the file holds the content.
func (a *decodeArgs) difference(ctx context.Context, s *spot, old *info, data []byte) (*value.Dict, error) {
	sum, err := newHash(a.Checksum)
	if err != nil {
		return nil, err
	}
	sum.Write(data)
	new := hex.EncodeToString(sum.Sum(nil))
	if old == nil {
		return value.NewDict("old", nil, "new", new), nil
	}
	have, err := hashAt(ctx, s, a.Checksum)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", a.Name, err)
	}
	f, err := s.openRead()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if same, err := sameBytes(f, data); same || err != nil { // the hash need not be a good one
		return nil, err
	}
	return value.NewDict("old", have, "new", new), nil
}

func (s *spot) decode(ctx context.Context, old *info, data []byte) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.final = module.AroundOf(ctx).Guarded
	return s.put(old, anyone, Bytes(data))
}
