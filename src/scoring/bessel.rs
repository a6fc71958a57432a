//! Modified Bessel functions as the von Mises distribution needs them: scaled I0, and A(k) = I1/I0 with its inverse.

/// Above this the asymptotic series is exact to the last digit.
const ASYMPTOTIC: f64 = 60.0;

/// I_n(kappa) exp(-kappa) for n = 0 or 1.
fn scaled(order: u8, kappa: f64) -> f64 {
    if kappa > ASYMPTOTIC {
        // Abramowitz and Stegun 9.7.1.
        let mu = 4.0 * f64::from(order).powi(2);
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..24 {
            let odd = 2.0 * f64::from(k) - 1.0;
            term *= -(mu - odd * odd) / (f64::from(k) * 8.0 * kappa);
            sum += term;
            if f64::abs(term) < 1e-17 {
                break;
            }
        }
        return sum / (std::f64::consts::TAU * kappa).sqrt();
    }
    // The power series, all of whose terms are positive.
    let quarter = kappa * kappa / 4.0;
    let mut term = if order == 0 { 1.0 } else { kappa / 2.0 };
    let mut sum = term;
    let mut k = 1.0;
    while term > sum * 1e-17 {
        term *= quarter / (k * (k + f64::from(order)));
        sum += term;
        k += 1.0;
    }
    sum * (-kappa).exp()
}

/// ln of the von Mises density at its mean, per radian: -ln(2 pi I0(kappa) exp(-kappa)).
pub(crate) fn ln_peak(kappa: f64) -> f64 {
    -(std::f64::consts::TAU * scaled(0, kappa)).ln()
}

/// The mean resultant length of a von Mises distribution, I1/I0.
pub(crate) fn resultant(kappa: f64) -> f64 {
    scaled(1, kappa) / scaled(0, kappa)
}

/// The kappa whose mean resultant length is `length`, up to `most`.
pub(crate) fn concentration(length: f64, most: f64) -> f64 {
    if length.is_nan() || length <= 0.0 {
        return 0.0;
    }
    if length >= resultant(most) {
        return most;
    }
    // A start within some per cent (Fisher 1993), then Newton.
    let mut kappa = if length < 0.53 {
        2.0 * length + length.powi(3) + 5.0 / 6.0 * length.powi(5)
    } else if length < 0.85 {
        -0.4 + 1.39 * length + 0.43 / (1.0 - length)
    } else {
        1.0 / (length.powi(3) - 4.0 * length.powi(2) + 3.0 * length)
    };
    for _ in 0..20 {
        let a = resultant(kappa);
        let step = (a - length) / (1.0 - a * a - a / kappa);
        kappa = (kappa - step).clamp(kappa / 2.0, kappa * 2.0);
        if step.abs() < 1e-12 * kappa {
            break;
        }
    }
    kappa.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_on_both_sides_of_the_switch() {
        // I0(1), I1(1), I0(10) exp(-10) from tables.
        assert!((scaled(0, 1.0) - 1.266_065_877_752_008_4 * (-1f64).exp()).abs() < 1e-15);
        assert!((scaled(1, 1.0) - 0.565_159_103_992_485 * (-1f64).exp()).abs() < 1e-15);
        assert!((scaled(0, 10.0) - 0.127_833_337_163_428_6).abs() < 1e-14);
        for order in [0, 1] {
            let (below, above) = (scaled(order, ASYMPTOTIC), scaled(order, ASYMPTOTIC + 1e-9));
            assert!((below / above - 1.0).abs() < 1e-10, "{order}");
        }
    }

    #[test]
    fn the_inverse_gives_back_kappa() {
        for kappa in [1e-3, 0.4, 1.5, 8.7692, 59.0, 300.0, 2_900.0] {
            let back = concentration(resultant(kappa), 3_000.0);
            assert!((back / kappa - 1.0).abs() < 1e-8, "{kappa} {back}");
        }
        assert_eq!((concentration(1.0, 3_000.0), concentration(0.0, 3_000.0)), (3_000.0, 0.0));
    }
}
