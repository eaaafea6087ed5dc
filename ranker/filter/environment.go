package filter

import (
	"fmt"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// attributesName is the variable under which declared attributes are found.
const attributesName = "attributes"

// attributesType is the type of that variable, known to CEL by this name.
const attributesType = "kindred.Attributes"

// newEnvironment is CEL as filters use it: the fields of items, the standard
// functions, and of the macros has() alone, since the others make loops.
func newEnvironment(table *catalog.Table, fields []*field, limits Limits) (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("CEL's type registry: %w", err)
	}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(attributeTypes{registry, table}),
		cel.StdLib(),
		cel.ClearMacros(),
		cel.Macros(cel.HasMacro),
		cel.CrossTypeNumericComparisons(true),
		cel.EnableIdentifierEscapeSyntax(),
		cel.ParserRecursionLimit(limits.MaxDepth),
		// Only the first error is told, and each recovery may read on to the end.
		cel.ParserErrorRecoveryLimit(1),
		cel.Variable(attributesName, cel.ObjectType(attributesType)),
	}
	for _, f := range fields {
		options = append(options, cel.Variable(f.name, f.kind.celType()))
	}
	environment, err := cel.NewCustomEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("CEL's environment: %w", err)
	}
	return environment, nil
}

// attributeTypes tells CEL the declared attributes as fields of one type. It
// asks the table each time, so that a declaration counts at once.
type attributeTypes struct {
	*types.Registry
	table *catalog.Table
}

func (a attributeTypes) FindStructType(name string) (*types.Type, bool) {
	if name == attributesType {
		return types.NewTypeTypeWithParam(types.NewObjectType(attributesType)), true
	}
	return a.Registry.FindStructType(name)
}

func (a attributeTypes) FindStructFieldType(name, attribute string) (*types.FieldType, bool) {
	if name != attributesType {
		return a.Registry.FindStructFieldType(name, attribute)
	}
	declared, ok := a.table.Declared(attribute)
	if !ok {
		return nil, false
	}
	return &types.FieldType{Type: attributeField(a.table, declared).kind.celType()}, true
}

// field returns the field that an expression names, or nil when it is not a
// field, or not a known one.
func (c *Compiler) field(e celast.Expr) *field {
	switch e.Kind() {
	case celast.IdentKind:
		for _, f := range c.fields {
			if f.name == e.AsIdent() {
				return f
			}
		}
	case celast.SelectKind:
		if declared, ok := c.table.Declared(attributeName(e)); ok {
			return attributeField(c.table, declared)
		}
	}
	return nil
}

// attributeName is NAME of attributes.NAME and of has(attributes.NAME), or "".
func attributeName(e celast.Expr) string {
	if e.Kind() != celast.SelectKind {
		return ""
	}
	operand := e.AsSelect().Operand()
	if operand.Kind() != celast.IdentKind || operand.AsIdent() != attributesName {
		return ""
	}
	return e.AsSelect().FieldName()
}
