// Members of a JSON text found without parsing it: for who only wants to know whether a closer look is worth while.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace switchboard {

/// The text values of all members of that name, at whatever depth, as views into `json`; no others are missed, but more
/// may be found if `json` is no JSON. Values of other kinds are left out. Empty optional: it takes a parser to tell,
/// since names or values are written with escapes.
std::optional<std::vector<std::string_view>> text_members(std::string_view json, std::string_view name);

} // namespace switchboard
