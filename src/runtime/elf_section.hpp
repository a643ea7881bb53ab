// Reads one section of an ELF file without loading it, so that a plugin is known before any code of it runs. Pure;
// every offset of the file is checked, since the file may be anything.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"

namespace switchboard::runtime {

/// The bytes of section `name` in `file` (all of a 64-bit ELF file of this machine's byte order); a view into `file`.
/// errc::bad_format with the reason, errc::not_found if there is no such section.
expected<std::string_view> find_elf_section(std::string_view file, std::string_view name);

} // namespace switchboard::runtime
