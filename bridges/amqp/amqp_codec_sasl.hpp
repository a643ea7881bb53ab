// The login of connection.start-ok: SASL PLAIN (RFC 4616) and RabbitMQ's AMQPLAIN. Only reads; who may come in is the
// broker's decision.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"

namespace switchboard::amqp {

/// The mechanisms we offer, for connection.start.
inline constexpr std::string_view sasl_mechanisms = "PLAIN AMQPLAIN";
/// The same where clients may show a certificate: the session knows what it says (RFC 4422, appendix A).
inline constexpr std::string_view sasl_mechanisms_external = "EXTERNAL PLAIN AMQPLAIN";

struct credentials {
  std::string user;
  std::string password;
};

/// authzid NUL user NUL password. errc::bad_format if it isn't so; errc::access_refused if authzid names somebody else
/// than the user: nobody here may act for another.
expected<credentials> parse_plain(std::string_view response);

/// A field table without its length, with the strings LOGIN and PASSWORD. errc::bad_format otherwise.
expected<credentials> parse_amqplain(std::string_view response);

/// By name, in upper case. errc::not_implemented for a mechanism we don't offer.
expected<credentials> parse_credentials(std::string_view mechanism, std::string_view response);

} // namespace switchboard::amqp
