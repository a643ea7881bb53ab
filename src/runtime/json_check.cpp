#include "runtime/json_check.hpp"

#include <simdjson.h>

#include <string>

#include "messages/envelope.hpp"

namespace switchboard::runtime {

namespace {

/// Longer ones are rare, and each thread's parser keeps what the longest needed. And simdjson reads no further digits
/// of an exponent over 65,535, so with as many zeros before it "0.000…1e655360" would be a number to it.
constexpr std::size_t quick_bytes_max = 32u << 10;

/// No says nothing.
bool is_certainly_json(std::string_view text, int depth_max) {
  thread_local simdjson::dom::parser parser{quick_bytes_max};
  thread_local std::string padded(quick_bytes_max + simdjson::SIMDJSON_PADDING, '\0');
  // The two may differ on halves of surrogate pairs, and on whether a byte order mark is JSON.
  if (text.size() > quick_bytes_max || text.starts_with('\xef') || text.find("\\u") != std::string_view::npos)
    return false;
  if (parser.max_depth() != static_cast<std::size_t>(depth_max) &&
      parser.allocate(quick_bytes_max, static_cast<std::size_t>(depth_max)) != simdjson::SUCCESS)
    return false;
  text.copy(padded.data(), text.size());
  return parser.parse(padded.data(), text.size(), /*realloc_if_needed*/ false).error() == simdjson::SUCCESS;
}

} // namespace

bool is_json_quickly(std::string_view text, std::size_t bytes_max, int depth_max) {
  return (text.size() <= bytes_max && is_certainly_json(text, depth_max)) || is_json(text, bytes_max, depth_max);
}

} // namespace switchboard::runtime
