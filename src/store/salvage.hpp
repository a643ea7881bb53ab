// Before LMDB opens data.mdb: whether it may, and a new file from what is intact if it may not.
#pragma once

#include <string>

#include "base/expected.hpp"
#include "store/store.hpp"

namespace switchboard::store {

/// Looks through data.mdb of the directory and tells `how.on_tables_damaged` what is damaged. If LMDB must not see the
/// file, its intact records are written into a new one, and the old one is kept as `data.mdb.damaged-<n>`. An error
/// says why the store can't be opened at all. Call with the directory locked.
expected<void> make_readable(const std::string& directory, const options& how);

} // namespace switchboard::store
