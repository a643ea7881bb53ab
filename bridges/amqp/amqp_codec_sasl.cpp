#include "bridges/amqp/amqp_codec_sasl.hpp"

#include "messages/field_table.hpp"

namespace switchboard::amqp {

expected<credentials> parse_plain(std::string_view response) {
  const auto first = response.find('\0');
  const auto second = first == std::string_view::npos ? first : response.find('\0', first + 1);
  if (second == std::string_view::npos || response.find('\0', second + 1) != std::string_view::npos)
    return {errc::bad_format, "PLAIN response is not authzid NUL user NUL password"};
  const auto acts_for = response.substr(0, first);
  const auto user = response.substr(first + 1, second - first - 1);
  if (!acts_for.empty() && acts_for != user)
    return {errc::access_refused, "PLAIN response asks to act for another user"};
  return credentials{std::string{user}, std::string{response.substr(second + 1)}};
}

expected<credentials> parse_amqplain(std::string_view response) {
  auto table = decode_fields(response);
  if (!table)
    return table.error();
  const auto* login = table->find("LOGIN");
  const auto* password = table->find("PASSWORD");
  if (!login || !password || !login->as_string() || !password->as_string())
    return {errc::bad_format, "AMQPLAIN response has no strings LOGIN and PASSWORD"};
  return credentials{*login->as_string(), *password->as_string()};
}

expected<credentials> parse_credentials(std::string_view mechanism, std::string_view response) {
  if (mechanism == "PLAIN")
    return parse_plain(response);
  if (mechanism == "AMQPLAIN")
    return parse_amqplain(response);
  return {errc::not_implemented, "login mechanism is not offered"};
}

} // namespace switchboard::amqp
