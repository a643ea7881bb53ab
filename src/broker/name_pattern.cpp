#include "broker/name_pattern.hpp"

#include <boost/regex.hpp>

namespace switchboard::broker {

struct name_pattern::compiled {
  boost::regex expression;
};

expected<name_pattern> name_pattern::make(std::string text) {
  name_pattern made;
  made.all_ = text == ".*" || text == "^.*" || text == ".*$" || text == "^.*$";
  if (!text.empty() && !made.all_) {
    try {
      made.compiled_ = std::make_shared<const compiled>(compiled{boost::regex{text, boost::regex::perl}});
    } catch (const std::exception& wrong) {
      return {errc::bad_format, "'" + text + "' is not a regular expression: " + wrong.what()};
    }
  }
  made.text_ = std::move(text);
  return made;
}

bool name_pattern::matches(std::string_view name) const noexcept {
  if (all_ || !compiled_)
    return all_;
  try {
    return boost::regex_search(name.begin(), name.end(), compiled_->expression);
  } catch (const std::exception&) { // Boost gives up on what takes too many steps
    return false;
  }
}

} // namespace switchboard::broker
