// Answers SB_LIST routes from the stored states: newest first, of one tenant, page by page.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "messages/envelope.hpp"
#include "runtime/hosted_types.hpp"
#include "store/store.hpp"

namespace switchboard::runtime {

inline constexpr std::size_t page_size_default = 100;
inline constexpr std::size_t page_size_max = 1000;

/// {"result":[views …],"next_page_token":"…"}; the token is absent on the last page. `query` may hold page_size and
/// page_token. An empty customer (an inside caller) sees all. A state that can't be opened is left out and logged.
/// errc::bad_format for a bad page_size or page_token. Reads the store: call where blocking for it does no harm.
expected<json> list_entities(store::environment& store, const served_type& type, std::string_view customer_id,
                             std::string_view query);

} // namespace switchboard::runtime
