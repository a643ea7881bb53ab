// Any bytes as a field table and as a property list: no crash, what is read is written and read again with the same
// result, and the two readers of properties never disagree.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "messages/properties.hpp"

using namespace switchboard;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// Changing one field leaves the others, and the last of a name counts.
void check_access(const field_table& read) {
  for (const auto& [name, value] : read.fields()) {
    const auto* found = read.find(name);
    require(found && !found->type_name().empty());
    static_cast<void>(value.as_integer());
  }
  if (read.empty())
    return;
  const auto name = read.fields().front().first;
  auto changed = read;
  changed.set(name, "changed");
  require(changed.size() == read.size() && *changed.find(name)->as_string() == "changed");
  changed.erase(name);
  require(!changed.find(name) && changed.size() < read.size());
  changed.set(name, true);
  require(*changed.find(name)->as_bool() && changed.fields().back().first == name);
}

void check_table(std::string_view bytes) {
  const auto read = decode_fields(bytes);
  const auto good = check_fields(bytes);
  require(good.has_value() == read.has_value() && (good || good.error().what == read.error().what));
  if (!read)
    return;
  check_access(*read);
  std::string written;
  encode_fields(*read, written);
  require(written.size() == bytes.size()); // the same bytes, but for booleans other than 0 and 1
  const auto again = decode_fields(written);
  std::string rewritten;
  require(again.has_value());
  encode_fields(*again, rewritten);
  require(rewritten == written);
}

void check_properties(std::string_view bytes) {
  const auto seen = glance_properties(bytes);
  const auto read = decode_properties(bytes);
  if (!read) {
    require(!seen || !decode_fields(seen->headers)); // the glance doesn't look into the headers, nothing else differs
    return;
  }
  require(seen.has_value());
  require(seen->persistent == (read->delivery_mode == 2));
  require(seen->priority == read->priority.value_or(0));
  require(seen->correlation_id == read->correlation_id.value_or(""));
  require(seen->reply_to == read->reply_to.value_or(""));
  require(seen->has_expiration == read->expiration.has_value());
  require(seen->expiration == read->expiration.value_or(""));
  require(seen->message_id == read->message_id.value_or(""));
  require(seen->has_user_id == read->user_id.has_value());
  require(seen->user_id == read->user_id.value_or(""));
  const auto written = encode_properties(*read);
  const auto again = decode_properties(written);
  require(again.has_value() && encode_properties(*again) == written && written.size() == bytes.size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  check_table(bytes);
  check_properties(bytes);
  return 0;
}
