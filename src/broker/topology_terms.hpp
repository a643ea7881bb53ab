// Values of field tables as RabbitMQ prints them, in Erlang's notation: clients' tests compare these texts. Pure.
#pragma once

#include <string>
#include <string_view>

#include "messages/field_table.hpp"

namespace switchboard::broker {

/// As one term: 1, true, 1.5, <<"text">>, [{longstr,<<"a">>}].
std::string erlang_term(const field_value& value);

/// The same, but text without brackets and quotation marks.
std::string erlang_text(const field_value& value);

/// A string between quotation marks.
std::string erlang_string(std::string_view text);

} // namespace switchboard::broker
