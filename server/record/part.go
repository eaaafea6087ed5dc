package record

// Part is one thing that is kept about a person: exactly one field is set. An
// export of a person is a sequence of parts, the profile first.
type Part struct {
	Profile  *Profile
	Event    *Stored
	Decision *Decision
	List     *List
}
