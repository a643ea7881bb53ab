#include "actors/billing/rate_json.hpp"

#include <algorithm>

namespace switchboard::telephony {

rate read_rate(sdk::body_reader& in, const std::string& name, const json& value) {
  rate read;
  if (!value.is_object())
    return in.complain_of(name, "must be an object"), read;
  sdk::body_reader fields{value};
  const auto kind = sdk::from_text<rate_kind>(fields.text("kind", "call"));
  if (!kind)
    fields.complain("kind must be call, incoming or sms");
  read.kind = kind.value_or(rate_kind::call);
  read.prefix = fields.text("prefix");
  const auto is_number = [](char c) { return (c >= '0' && c <= '9') || c == '+'; };
  if (read.prefix.size() > 16 || !std::all_of(read.prefix.begin(), read.prefix.end(), is_number))
    fields.complain("prefix must be the beginning of a number, such as +1555");
  if (!fields.find("price_micro"))
    fields.complain("price_micro is missing");
  read.price_micro = fields.integer("price_micro", 0, 0, price_max);
  read.setup_micro = fields.integer("setup_micro", 0, 0, price_max);
  read.minimum_s = fields.integer("minimum_s", 0, 0, 3600);
  read.increment_s = fields.integer("increment_s", 60, 1, 3600);
  if (fields.wrong())
    in.complain_of(name, fields.wrong()->what);
  return read;
}

} // namespace switchboard::telephony
