// Our errc inside caf::error, so that a request between actors fails with the same values as a plain function.
#pragma once

#include <caf/error.hpp>

#include "base/errc.hpp"

namespace switchboard::broker {

/// Wraps for a CAF response.
caf::error to_caf(const error& why);
/// Unwraps; CAF's own errors become timed_out (request timeout), unavailable (receiver down) or internal, and so does
/// "no error".
error from_caf(const caf::error& why);

} // namespace switchboard::broker
