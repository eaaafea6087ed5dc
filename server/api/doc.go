// Package api is the gRPC face of the service. A handler checks the form of a
// request, converts it to domain values, calls one function of server/shop, and
// converts back; nothing else lives here.
//
// # Errors
//
// [statusOf] maps every domain error to one code, in one place. Faults of the
// caller are INVALID_ARGUMENT with field violations, NOT_FOUND, ALREADY_EXISTS,
// FAILED_PRECONDITION, UNAUTHENTICATED or PERMISSION_DENIED. Too much at once is
// RESOURCE_EXHAUSTED with RetryInfo. Ours are UNAVAILABLE (try again), DATA_LOSS and
// INTERNAL (look in the log under the request id).
//
// A message that cannot be read at all, such as one with text that is not UTF-8, is the
// caller's fault too: [Codec] finds the field, and the whole message is refused.
//
// # Batches
//
// A batch outside its bounds is refused as a whole. Otherwise the good rows land and the
// reply lists the bad ones; a unary batch of which every row is malformed is
// INVALID_ARGUMENT, with one violation a fault.
//
// # Tenants
//
// The tenant is that of the caller's key; no request names another but those of
// AdminService, and these only for admins of the tenant "default".
package api
