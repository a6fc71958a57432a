//! Angles on the circle: errors, whole degrees, circular standard deviation.

/// How many whole-degree distances there are from a target: 0 to 180.
pub const DISTANCES: usize = 181;

/// The signed distance of `deg` from zero on the circle, in degrees, in [-180, 180).
#[must_use]
pub fn wrap_deg(deg: f64) -> f64 {
    (deg + 180.0).rem_euclid(360.0) - 180.0
}

/// An error's distance in whole degrees, 0 to 180.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 180")]
pub fn distance(error_deg: f64) -> usize {
    (wrap_deg(error_deg).abs().round() as usize).min(DISTANCES - 1)
}

/// How many directions are as far away as `distance`: two, but one at 0 and at 180.
#[must_use]
pub fn directions(distance: usize) -> f64 {
    if distance == 0 || distance + 1 == DISTANCES { 1.0 } else { 2.0 }
}

/// Circular standard deviation in degrees, sqrt(-2 ln R), of errors in degrees; NaN without an error, infinite
/// where the mean direction vanishes.
#[must_use]
pub fn circular_sd_deg(errors_deg: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = (0.0, 0.0, 0.0);
    for error in errors_deg {
        let (sin, cos) = error.to_radians().sin_cos();
        sum = (sum.0 + cos, sum.1 + sin, sum.2 + 1.0);
    }
    sd_of_resultant_deg(sum.0.hypot(sum.1) / sum.2)
}

/// The circular standard deviation that belongs to a mean resultant length.
#[must_use]
pub fn sd_of_resultant_deg(resultant: f64) -> f64 {
    if resultant.is_nan() {
        return f64::NAN;
    }
    (-2.0 * resultant.min(1.0).ln()).max(0.0).sqrt().to_degrees()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_go_the_short_way_round() {
        assert_eq!(
            [0.0, 359.6, 180.0, -180.0, 181.0, 540.4, -90.4].map(distance),
            [0, 0, 180, 180, 179, 180, 90]
        );
        assert_eq!(wrap_deg(190.0), -170.0);
        let all: f64 = (0..DISTANCES).map(directions).sum();
        assert_eq!(all, 360.0);
    }

    #[test]
    fn the_circular_sd_of_two_errors_and_of_none() {
        // R = cos 10 degrees
        let expected = (-2.0 * 10f64.to_radians().cos().ln()).sqrt().to_degrees();
        assert!((circular_sd_deg([10.0, -10.0]) - expected).abs() < 1e-10);
        assert_eq!(circular_sd_deg([3.0, 3.0]), 0.0);
        assert!(circular_sd_deg([]).is_nan());
    }
}
