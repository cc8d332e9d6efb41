package pillar_test

import (
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/pillar"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
	"brine/states/yaml"
)

func TestModule(t *testing.T) { moduletest.Run(t, pillar.Module, moduletest.Options{}) }

const data = `
web: {port: 8080, sites: [a, b]}
users:
  - ann: {uid: 1000}
  - bob: {uid: 1001}
5: five
none: null
a|b: {c: 1}
`

func TestFunctions(t *testing.T) {
	doc, err := yaml.Parse("pillar", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	index := module.NewIndex(pillar.Module)
	for line, want := range map[string]string{
		"get web:port":                             `8080`,
		"get web:sites:1":                          `"b"`,
		"get web:sites:-2":                         `"a"`,
		"get web:sites:7":                          `""`,
		"get users:bob:uid":                        `1001`,
		"get 5":                                    `"five"`,
		"get none default=1":                       `null`,
		"get no:where":                             `""`,
		"get no:where default=[1]":                 `[1]`,
		"get a|b%c delimiter=%":                    `1`,
		"get web delimiter=":                       `cannot read the pillar: the delimiter is empty`,
		"get web:sites default=[z] merge=True":     `["z","a","b"]`,
		"get web:sites default=[b,z] merge=True":   `["b","z","a"]`,
		"get nosuch default=null":                  `null`,
		"get nosuch":                               `""`,
		"fetch web:port":                           `8080`,
		"get web {sites:~[z,b]} true true":         `{"sites":["z","b","a"],"port":8080}`,
		"get web:port saltenv=base pillarenv=base": `8080`,
		"get web:port pillarenv=dev":               `cannot read the pillar of environment "dev": this run has that of "base"`,
		"get web:port saltenv=dev":                 `8080`,
		"item web:port pillarenv=dev":              `cannot read the pillar of environment "dev": this run has that of "base"`,
		"items pillarenv=dev":                      `cannot read the pillar of environment "dev": this run has that of "base"`,
		"items 5 nope":                             `{"5":"five","nope":""}`,
		"items 5 none pillar={5:~six}":             `{"5":"six","none":null}`,
		"data none":                                `{"none":null}`,
		"ls pillar={x:~1}":                         `["web","users",5,"none","a|b","x"]`,
		"filter_by {f*:~x} 5":                      `"x"`,
		"filter_by {b:~x,c:~y} web:sites":          `"x"`,
		"filter_by {z:~x,default:~y} web:sites":    `"y"`,
		"filter_by {None:~x,default:~y} none":      `"x"`,
		"filter_by {None:~x,default:~y} nope":      `"y"`,
		"filter_by {five:~{p:~1},b:~{p:~0,q:~2}} 5 base=b merge={r:~3}": `{"p":1,"q":2,"r":3}`,
		"file_exists top.sls":                 `cannot tell of files of pillar: they are on masters, where templates of pillar can ask`,
		"get web default={port:1} merge=True": `{"port":8080,"sites":["a","b"]}`,
		"item web:port nope":                  `{"web:port":8080,"nope":""}`,
		"item nope default=x":                 `{"nope":"x"}`,
		"item":                                `cannot call pillar.item: argument "keys" is missing`,
		"keys web":                            `["port","sites"]`,
		"keys web:port":                       `cannot list the keys of "web:port": it is no map but integer`,
		"keys nope":                           `cannot list the keys of "nope": the pillar has none of that name`,
		"ls":                                  `["web","users",5,"none","a|b"]`,
		"raw a|b":                             `{"c":1}`,
		"raw nope":                            `{}`,
		"obfuscate":                           `{"web":{"port":"<int>","sites":["<str>","<str>"]},"users":[{"ann":{"uid":"<int>"}},{"bob":{"uid":"<int>"}}],"5":"<str>","none":"<NoneType>","a|b":{"c":"<int>"}}`,
	} {
		words := strings.Fields(strings.ReplaceAll(line, "{port:1}", "{port:~1}"))
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "~", " ")
		}
		f, err := index.Func("pillar." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		h := hosttest.New(t).Host
		h.Pillar = doc.Data().(*value.Dict)
		h.Config = value.NewDict("pillarenv", "base")
		got := ""
		if r, err := f.Call(t.Context(), h, module.Words(words[1:]...)); err != nil {
			got = err.Error()
		} else if text, err := value.MarshalJSON(r.Value); err == nil {
			got = string(text)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}
