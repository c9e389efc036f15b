//! Classification of Oura's HTTP statuses, as one table.

use super::FetchErrorKind;

/// The class of an HTTP status from the data API, before the body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusClass {
    /// 200: a page of documents.
    Page,
    /// 400, 422: invalid parameters, most often the range.
    Rejected,
    /// 401: a missing scope if the body names one, otherwise an invalid token.
    Unauthorized,
    /// 403: a missing scope if the body names one, otherwise the membership or a permission.
    Forbidden,
    /// 404: the collection does not exist for this account.
    NotAvailable,
    /// 426: the mobile app is too old.
    AppTooOld,
    /// 429: too many requests.
    RateLimited,
    /// 408, 5xx: a retry may succeed.
    Transient,
    /// Any status that Oura's specification does not mention.
    Unexpected,
}

/// First status, last status (inclusive), class. Sorted by status.
const STATUS_CLASSES: &[(u16, u16, StatusClass)] = &[
    (200, 200, StatusClass::Page),
    (400, 400, StatusClass::Rejected),
    (401, 401, StatusClass::Unauthorized),
    (403, 403, StatusClass::Forbidden),
    (404, 404, StatusClass::NotAvailable),
    (408, 408, StatusClass::Transient),
    (422, 422, StatusClass::Rejected),
    (426, 426, StatusClass::AppTooOld),
    (429, 429, StatusClass::RateLimited),
    (500, 599, StatusClass::Transient),
];

impl StatusClass {
    /// Every class once.
    pub const ALL: [StatusClass; 9] = [
        StatusClass::Page,
        StatusClass::Rejected,
        StatusClass::Unauthorized,
        StatusClass::Forbidden,
        StatusClass::NotAvailable,
        StatusClass::AppTooOld,
        StatusClass::RateLimited,
        StatusClass::Transient,
        StatusClass::Unexpected,
    ];

    /// Classifies `status`.
    pub fn of(status: u16) -> StatusClass {
        STATUS_CLASSES
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&status))
            .map_or(StatusClass::Unexpected, |(_, _, class)| *class)
    }

    /// The errors that a fetch can end with after a response of this class. The body and the
    /// token decide between several.
    pub fn errors(self) -> &'static [FetchErrorKind] {
        use FetchErrorKind as Kind;
        match self {
            StatusClass::Page | StatusClass::Unexpected => &[Kind::Malformed],
            StatusClass::Rejected => &[Kind::Rejected],
            StatusClass::Unauthorized => &[Kind::MissingScope, Kind::Login, Kind::Forbidden],
            StatusClass::Forbidden => {
                &[Kind::MissingScope, Kind::MembershipInactive, Kind::Forbidden]
            }
            StatusClass::NotAvailable => &[Kind::NotAvailable],
            StatusClass::AppTooOld => &[Kind::AppTooOld],
            StatusClass::RateLimited => &[Kind::RateLimited],
            StatusClass::Transient => &[Kind::Server],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_one_class() {
        for pair in STATUS_CLASSES.windows(2) {
            assert!(pair[0].1 < pair[1].0, "{pair:?}");
        }
        assert_eq!(StatusClass::of(503), StatusClass::Transient);
        assert_eq!(StatusClass::of(302), StatusClass::Unexpected);
    }

    #[test]
    fn every_response_error_belongs_to_a_class() {
        for kind in FetchErrorKind::ALL {
            let has_class = StatusClass::ALL.iter().any(|class| class.errors().contains(&kind));
            assert_eq!(has_class, kind != FetchErrorKind::Network, "{kind:?}");
        }
    }
}
