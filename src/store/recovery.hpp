// What a crash left in the log goes to LMDB before anything is read or written.
#pragma once

#include "base/expected.hpp"
#include "store/counters.hpp"
#include "store/lmdb_files.hpp"
#include "store/store.hpp"
#include "store/write_ahead_log.hpp"

namespace switchboard::store {

/// Applies what the log has and LMDB lacks, in one transaction. Groups that were confirmed and cannot be read are told
/// through `how.on_damage`, one error each (errc::corrupt), after a copy of the log was put aside if there is room for
/// it; the others are applied. Of a group at the end only a part may be there: it is put aside likewise, and told
/// through `how.on_log_cut`. Errors: errc::precondition_failed if the log belongs to later tables than these; those of
/// LMDB and of the log.
expected<void> recover(lmdb_files& files, counters& numbers, write_ahead_log& log, const options& how);

} // namespace switchboard::store
