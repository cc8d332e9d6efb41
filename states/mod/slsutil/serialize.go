package slsutil

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/serial"
	"brine/states/value"
)

type serializeArgs struct {
	Serializer string      `arg:"serializer,required" doc:"configparser, json, keyvalue, python, toml or yaml"`
	Obj        any         `arg:"obj" doc:"the data"`
	Options    *value.Dict `arg:"options,named" doc:"options of Salt's serializer, such as indent and sort_keys of json, default_flow_style of yaml"`
}

func serialize(_ context.Context, _ *host.Host, a serializeArgs) (string, error) {
	f, err := serial.Find(a.Serializer)
	if err != nil {
		return "", fmt.Errorf("cannot serialize to %w", err)
	}
	return f.Write(a.Obj, a.Options)
}

type deserializeArgs struct {
	Serializer string      `arg:"serializer,required" doc:"configparser, json, keyvalue, toml or yaml"`
	Text       string      `arg:"stream_or_string,required" doc:"the text"`
	Options    *value.Dict `arg:"options,named" doc:"options of Salt's deserializer, such as separator of keyvalue"`
}

func deserialize(_ context.Context, _ *host.Host, a deserializeArgs) (any, error) {
	f, err := serial.Find(a.Serializer)
	if err != nil {
		return nil, fmt.Errorf("cannot deserialize from %w", err)
	}
	return f.Read(a.Text, a.Options)
}
