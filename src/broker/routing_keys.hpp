// The further routing keys a publisher may put into a message's headers (RabbitMQ, "Sender-selected Distribution"):
// CC, which consumers see, and BCC, which goes before delivery. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "messages/field_table.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

inline constexpr std::string_view copy_header = "CC";
inline constexpr std::string_view blind_copy_header = "BCC";

struct further_keys {
  std::vector<std::string> keys; ///< of CC, then of BCC
  std::string_view wrong_header; ///< CC or BCC if it is no array of texts; then its type is wrong_type
  std::string_view wrong_type;
};
further_keys copy_keys(const field_table& headers);

/// Whether a look at copy_keys is worth the while. `headers`: the table's bytes.
inline bool may_have_copies(std::string_view headers) noexcept {
  return headers.find(copy_header) != std::string_view::npos;
}

/// What a client is told of a message that cannot be routed: 406, as RabbitMQ says it. Void if nothing is wrong.
/// `headers`: the table's bytes.
expected<void> check_copy_keys(std::string_view headers);

/// The message without its BCC header; its keys are hidden ones from then on (message.hpp).
message_ptr without_blind_copies(const message_ptr& what);

/// By which it is routed beside its routing key: those of the headers, and the hidden ones. `headers`: the table's
/// bytes.
std::vector<std::string> further_keys_of(const message& what, std::string_view headers);

} // namespace switchboard::broker
