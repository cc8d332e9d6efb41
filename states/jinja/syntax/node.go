package syntax

// A Template is a whole template, parsed and resolved. It is never changed and may be used
// by any number of goroutines.
type Template struct {
	Source   string // with its line ends made equal and the last one removed
	EndsLine bool   // the text had a line end that was removed
	Body     []Stmt
	Scope    *Scope
	Func     *Func
	Self     *Slot // where the variable self goes, when it is used
	Blocks   map[string]*Block
}

// Stmt is a statement.
type Stmt interface{ stmt() }

// Expr is an expression.
type Expr interface {
	// At is where the expression stands.
	At() Pos
}

// At is the place itself, so that nodes with a Pos are expressions.
func (p Pos) At() Pos { return p }

// The statements.
type (
	// Output writes text and values.
	Output struct{ Parts []Part }

	// If has branches, tried in turn, and what holds for none.
	If struct {
		Pos
		Test Expr
		Body []Stmt
		Elif []*If
		Else []Stmt
	}

	// For is a loop. Recursive ones are functions of their own.
	For struct {
		Pos
		Target    Expr
		Iter      Expr
		Test      Expr // of "for x in y if test"; its own scope, with the target as TestTarget
		Body      []Stmt
		Else      []Stmt
		Recursive bool
		Extended  bool // the body uses the variable loop

		Scope      *Scope
		Loop       Slot
		TestTarget Expr
		TestScope  *Scope
		ElseScope  *Scope
		Func       *Func // when Recursive
	}

	// Macro defines a macro.
	Macro struct {
		Pos
		Name   *Name // where it goes
		Export bool  // it is at the top level, so other templates may import it
		Routine
	}

	// CallBlock calls a macro with a body.
	CallBlock struct {
		Pos
		Call *Call
		Routine
	}

	// FilterBlock filters what its body writes.
	FilterBlock struct {
		Pos
		Filter *Filter // its innermost value is nil: the text of the body
		Body   []Stmt
		Scope  *Scope
	}

	// With gives values names for its body.
	With struct {
		Pos
		Targets []Expr
		Values  []Expr
		Body    []Stmt
		Scope   *Scope
	}

	// Autoescape sets escaping for its body.
	Autoescape struct {
		Pos
		Value Expr
		Body  []Stmt
		Scope *Scope
	}

	// Set assigns a value.
	Set struct {
		Pos
		Target Expr
		Value  Expr
		Store  Store
	}

	// SetBlock assigns what its body writes, filtered.
	SetBlock struct {
		Pos
		Target Expr
		Filter *Filter // or nil
		Body   []Stmt
		Scope  *Scope
		Store  Store
	}

	// Do evaluates an expression.
	Do struct {
		Pos
		Value Expr
	}

	// Break and Continue leave a loop and a turn of it.
	Break struct{ Pos }
	// Continue goes on with the next item.
	Continue struct{ Pos }

	// Block is a block of a template that others may extend.
	Block struct {
		Pos
		Name     string
		Scoped   bool
		Required bool
		Body     []Stmt

		Top         bool // it stands at the top level, where only a parent writes it
		Scope       *Scope
		Func        *Func
		Self, Super *Slot
		Locals      []Local // what a scoped block sees
	}

	// Extends names the parent of the template.
	Extends struct {
		Pos
		Template Expr
	}

	// Include writes another template.
	Include struct {
		Pos
		Template      Expr
		IgnoreMissing bool
		WithContext   bool
		Locals        []Local
	}

	// Import gives another template's exported names as one object, or makes data of its text.
	Import struct {
		Pos
		Template    Expr
		Target      *Name
		Load        string // "", or the filter that makes data: load_yaml, load_json, load_text
		WithContext bool
		Locals      []Local
		Store       Store
	}

	// FromImport takes names from another template.
	FromImport struct {
		Pos
		Template    Expr
		Names       []Imported
		WithContext bool
		Locals      []Local
		Store       Store
	}

	// Profile writes its body; Salt measures its time.
	Profile struct {
		Pos
		Label Expr
		Body  []Stmt
		Scope *Scope
	}
)

// Store says what else an assignment does: at the top level of a template the name becomes
// part of its context.
type Store struct {
	Context bool
	Export  bool // unless it begins with an underscore
}

// A Part is text or an expression.
type Part struct {
	Text string
	Pos  Pos  // of the text
	Expr Expr // or nil
}

// Imported is one name of a FromImport.
type Imported struct {
	Name   string
	Target *Name
}

// A Routine is what macros and call blocks share.
type Routine struct {
	Args     []*Name
	Defaults []Expr // of the last Args
	Body     []Stmt

	Scope  *Scope
	Func   *Func
	Caller *Slot // where the variables go that the body uses without their being arguments
	Kwargs *Slot
	Vararg *Slot
	// ExplicitCaller is set when caller is an argument.
	ExplicitCaller bool
}

func (*Output) stmt()      {}
func (*If) stmt()          {}
func (*For) stmt()         {}
func (*Macro) stmt()       {}
func (*CallBlock) stmt()   {}
func (*FilterBlock) stmt() {}
func (*With) stmt()        {}
func (*Autoescape) stmt()  {}
func (*Set) stmt()         {}
func (*SetBlock) stmt()    {}
func (*Do) stmt()          {}
func (*Break) stmt()       {}
func (*Continue) stmt()    {}
func (*Block) stmt()       {}
func (*Extends) stmt()     {}
func (*Include) stmt()     {}
func (*Import) stmt()      {}
func (*FromImport) stmt()  {}
func (*Profile) stmt()     {}

// The expressions.
type (
	// Const is a literal.
	Const struct {
		Pos
		Value any
	}

	// Name is a variable, read or assigned; Slot is where it is kept.
	Name struct {
		Pos
		Name string
		Slot Slot
	}

	// NSRef is an attribute of a namespace that is assigned.
	NSRef struct {
		Pos
		Object *Name
		Attr   string
	}

	// Tuple, List and Dict are displays.
	Tuple struct {
		Pos
		Items []Expr
	}
	// List is a list display.
	List struct {
		Pos
		Items []Expr
	}
	// Dict is a dict display.
	Dict struct {
		Pos
		Keys, Values []Expr
	}

	// Cond is "a if test else b"; Else may be nil.
	Cond struct {
		Pos
		Test, Then, Else Expr
	}

	// And, Or and Not are the logical operators.
	And struct {
		Pos
		Left, Right Expr
	}
	// Or is "left or right".
	Or struct {
		Pos
		Left, Right Expr
	}
	// Not is "not value".
	Not struct {
		Pos
		Value Expr
	}

	// Compare is a chain of comparisons.
	Compare struct {
		Pos
		First Expr
		Ops   []string // == != < <= > >= in "not in"
		Rest  []Expr
	}

	// Binary is an arithmetic operator.
	Binary struct {
		Pos
		Op          string
		Left, Right Expr
	}
	// Unary is + or -.
	Unary struct {
		Pos
		Op    string
		Value Expr
	}
	// Concat joins texts: a ~ b ~ c.
	Concat struct {
		Pos
		Parts []Expr
	}

	// Attr is value.name.
	Attr struct {
		Pos
		Value Expr
		Name  string
	}
	// Item is value[key].
	Item struct {
		Pos
		Value, Key Expr
	}
	// Slice is a key with colons; bounds may be nil.
	Slice struct {
		Pos
		Start, Stop, Step Expr
	}

	// Call calls a value.
	Call struct {
		Pos
		Func Expr
		Args
	}
	// Filter is value|name(args). Value is nil in a filter block.
	Filter struct {
		Pos
		Value Expr
		Name  string
		Args
	}
	// Test is "value is name(args)".
	Test struct {
		Pos
		Value Expr
		Name  string
		Args
	}
)

// Args are the arguments of a call.
type Args struct {
	List   []Expr
	Named  []Named
	Star   Expr // *args
	Double Expr // **kwargs
}

// Named is an argument given by name.
type Named struct {
	Name  string
	Value Expr
}
