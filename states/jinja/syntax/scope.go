package syntax

// A Func has variables of its own: a template, block, macro, call block or recursive loop.
// Each call of it has a frame of Slots values.
type Func struct{ Slots int }

// A Slot is where a variable is kept: in the frame that is Up functions outward.
type Slot struct{ Up, Index int }

// A Scope lists what happens to variables when it is entered.
type Scope struct{ Loads []Load }

// A Load gives a variable its first value.
type Load struct {
	Index int // in the frame of the function that has the scope
	Kind  LoadKind
	Name  string // of what is resolved
	From  Slot   // of what is copied
}

// A LoadKind says where the first value comes from.
type LoadKind uint8

// The kinds of loads.
const (
	Resolve LoadKind = iota // from the context, by name
	Alias                   // from the variable of the same name outside
	Missing                 // there is none yet
)

// A Local is a variable that an included or imported template sees.
type Local struct {
	Name string
	Slot Slot
}
