#include "node/config_table.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <type_traits>
#include <utility>

#include "base/ids.hpp"
#include "node/config_value.hpp"

namespace switchboard::node {
namespace {

// -- reading: one overload set, from what was written to the type of the option ------------------------------------

std::string_view name_of(const written_value& value) {
  constexpr std::string_view names[] = {"a boolean", "an integer", "a number with a fraction", "a string", "a list"};
  if (const auto* other = std::get_if<other_value>(&value))
    return other->what;
  return value.index() < std::size(names) ? names[value.index()] : "text";
}

expected<void> mismatch(std::string_view wanted, const written_value& value) {
  if (const auto* bare = std::get_if<bare_text>(&value))
    return {errc::bad_format, "must be " + std::string{wanted} + "; '" + bare->text + "' is not"};
  return {errc::bad_format, "must be " + std::string{wanted} + ", not " + std::string{name_of(value)}};
}

const std::string* text_of(const written_value& value) {
  if (const auto* bare = std::get_if<bare_text>(&value))
    return &bare->text;
  return std::get_if<std::string>(&value);
}

expected<void> read(const written_value& value, bool& out) {
  const auto* bare = std::get_if<bare_text>(&value);
  if (const auto* flag = std::get_if<bool>(&value))
    out = *flag;
  else if (bare && (bare->text == "true" || bare->text == "false"))
    out = bare->text == "true";
  else
    return mismatch("true or false", value);
  return {};
}

expected<void> read(const written_value& value, std::int64_t& out) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    out = *number;
    return {};
  }
  if (const auto* bare = std::get_if<bare_text>(&value)) {
    const auto* last = bare->text.data() + bare->text.size();
    const auto [end, problem] = std::from_chars(bare->text.data(), last, out);
    if (problem == std::errc{} && end == last)
      return {};
  }
  return mismatch("an integer", value);
}

expected<void> read(const written_value& value, std::string& out) {
  const auto* text = text_of(value);
  if (!text)
    return mismatch("a string", value);
  out = *text;
  return {};
}

expected<void> read(const written_value& value, name_list& out) {
  if (const auto* list = std::get_if<name_list>(&value)) {
    out = *list;
    return {};
  }
  const auto* bare = std::get_if<bare_text>(&value);
  if (!bare)
    return mismatch("a list of strings", value);
  out.clear(); // --set node.plugins=call,agent
  for (std::size_t at = 0; at < bare->text.size();) {
    const auto comma = std::min(bare->text.find(',', at), bare->text.size());
    out.push_back(bare->text.substr(at, comma - at));
    at = comma + 1;
  }
  return {};
}

expected<void> read(const written_value& value, milliseconds& out) {
  const auto* text = text_of(value);
  if (!text)
    return mismatch("a string with a unit such as \"30s\"", value);
  const auto parsed = parse_duration(*text);
  if (!parsed)
    return parsed.error();
  out = *parsed;
  return {};
}

expected<void> read(const written_value& value, byte_count& out) {
  const auto* text = text_of(value);
  if (!text)
    return mismatch("a string with a unit such as \"64MiB\"", value);
  const auto parsed = parse_bytes(*text);
  if (!parsed)
    return parsed.error();
  out = *parsed;
  return {};
}

// -- showing ---------------------------------------------------------------------------------------------------------

std::string show(bool value) { return value ? "true" : "false"; }
std::string show(std::int64_t value) { return std::to_string(value); }
std::string show(const std::string& value) { return quoted(value); }
std::string show(milliseconds value) { return quoted(to_text(value)); }
std::string show(byte_count value) { return quoted(to_text(value)); }
std::string show(const name_list& value) {
  std::string out;
  for (const auto& name : value)
    out += (out.empty() ? "" : ", ") + quoted(name);
  return "[" + out + "]";
}

std::string_view type_name(const bool&) { return "true or false"; }
std::string_view type_name(const std::int64_t&) { return "integer"; }
std::string_view type_name(const std::string&) { return "text"; }
std::string_view type_name(const milliseconds&) { return "duration"; }
std::string_view type_name(const byte_count&) { return "size"; }
std::string_view type_name(const name_list&) { return "list of names"; }

// -- limits: what a value must be beyond its type; `says` is for people, empty for none ------------------------------

template <class T>
struct limit {
  std::string says;
  std::function<bool(const T&)> holds;
};

struct any {
  template <class T>
  operator limit<T>() const {
    return {"", [](const T&) { return true; }};
  }
};

template <class T>
limit<T> range(T least, T most) {
  return {to_text(least) + ".." + to_text(most), [=](const T& value) { return least <= value && value <= most; }};
}

limit<std::int64_t> between(std::int64_t least, std::int64_t most) { return range(least, most); }
limit<milliseconds> between(milliseconds least, milliseconds most) { return range(least, most); }
limit<byte_count> between(byte_count least, byte_count most) { return range(least, most); }

limit<std::string> not_empty() {
  return {"not empty", [](const std::string& value) { return !value.empty(); }};
}

constexpr std::string_view identity_rule = "1..128 visible ASCII characters without : * # /";
limit<std::string> identity() {
  return {std::string{identity_rule}, [](const std::string& value) { return is_identity(value); }};
}
limit<name_list> identities() {
  return {"each " + std::string{identity_rule},
          [](const name_list& value) { return std::all_of(value.begin(), value.end(), is_identity); }};
}

template <class... Words>
limit<std::string> one_of(Words... words) {
  name_list list{words...};
  std::string says;
  for (const auto& word : list)
    says += (says.empty() ? "" : " or ") + quoted(word);
  return {says, [list = std::move(list)](const std::string& value) {
            return std::find(list.begin(), list.end(), value) != list.end();
          }};
}

// -- the table -------------------------------------------------------------------------------------------------------

/// The type an option is read as: every integer through 64 bits, so that 70000 is refused and not cut.
template <class Member>
using read_type = std::conditional_t<std::is_integral_v<Member> && !std::is_same_v<Member, bool>, std::int64_t, Member>;

template <class Member, class Locate>
option make_option(std::string_view section, std::string_view key, std::string_view sentence,
                   limit<read_type<Member>> limits, Locate locate) {
  option made{section, key, sentence, std::string{type_name(read_type<Member>{})}, {}, {}};
  if (!limits.says.empty())
    made.type_and_limits += ", " + limits.says;
  made.assign = [locate, limits = std::move(limits)](config& into, const written_value& value) -> expected<void> {
    read_type<Member> parsed{};
    if (auto done = read(value, parsed); !done)
      return done;
    if (!limits.holds(parsed))
      return {errc::bad_format, "must be " + limits.says + "; " + show(parsed) + " is not"};
    locate(into) = static_cast<Member>(std::move(parsed));
    return {};
  };
  made.show = [locate](const config& from) {
    return show(static_cast<read_type<Member>>(locate(const_cast<config&>(from)))); // read only
  };
  return made;
}

std::vector<option> make_options() {
  std::vector<option> made;
  std::string_view section;
  // `here` reaches the members of the section being declared.
#define SECTION(name, sentence)                                                                                        \
  {                                                                                                                    \
    section = #name;                                                                                                   \
    constexpr auto here = &config::name;                                                                               \
    using section_type = config::name##_options;
#define OPTION(type, name, check, sentence, ...)                                                                       \
  made.push_back(make_option<type>(section, #name, sentence, check,                                                    \
                                   [](config& c) -> type& { return (c.*here).*(&section_type::name); }));
#define END(name) }
#include "node/config_options.def"
#undef SECTION
#undef OPTION
#undef END
  return made;
}

std::vector<section> make_sections() {
  return {
#define SECTION(name, sentence) section{#name, sentence},
#define OPTION(...)
#define END(name)
#include "node/config_options.def"
#undef SECTION
#undef OPTION
#undef END
  };
}

/// Levenshtein: single-letter edits from one name to the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j)
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])}));
  }
  return row.back();
}

} // namespace

const std::vector<section>& sections() {
  static const auto table = make_sections();
  return table;
}

const std::vector<option>& options() {
  static const auto table = make_options();
  return table;
}

const option* find_option(std::string_view section, std::string_view key) {
  for (const auto& candidate : options())
    if (candidate.section == section && candidate.key == key)
      return &candidate;
  return nullptr;
}

std::string hint_for(std::string_view section, std::string_view key) {
  const auto wanted = std::string{section} + "." + std::string{key};
  const option* nearest = nullptr;
  std::size_t best = 4; // farther than this is no typing error
  for (const auto& candidate : options())
    if (const auto far = distance(candidate.name(), wanted); far < best)
      nearest = &candidate, best = far;
  return nearest ? "; did you mean " + nearest->name() + "?" : "";
}

} // namespace switchboard::node
