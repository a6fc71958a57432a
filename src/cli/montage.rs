//! Which channels, as `estimate` and `monitor` are asked for them.

use clap::Args;

use crate::acquisition::settings::Reference;

/// Channels, regions, unit and reference.
#[derive(Args, Clone, Debug, Default)]
pub struct MontageOptions {
    /// Channels, by label: Fz,Cz [default: all EEG channels]
    #[arg(long, value_delimiter = ',', value_name = "LABELS")]
    pub channels: Vec<String>,
    /// What potentials are measured against: none, average, or labels: M1,M2 [default: none]
    #[arg(long, value_name = "WHAT", value_parser = reference)]
    pub reference: Option<Reference>,
    /// Unit of the channels, over what the file or stream says: uV, mV, V
    #[arg(long, value_name = "UNIT")]
    pub unit: Option<String>,
    /// A region of interest beside the channels, the first one large in `monitor`: frontal=Fz+F3+F4; may be repeated
    #[arg(long, value_name = "NAME=CH+CH", value_parser = region)]
    pub region: Vec<(String, Vec<String>)>,
}

fn reference(text: &str) -> Result<Reference, String> {
    match text.trim() {
        "" | "none" => Ok(Reference::None),
        "average" => Ok(Reference::Average),
        labels => {
            let labels: Vec<String> = labels.split(',').map(|label| label.trim().to_owned()).collect();
            if labels.iter().any(String::is_empty) {
                return Err("expected none, average, or labels as in M1,M2".to_owned());
            }
            Ok(Reference::Channels(labels))
        }
    }
}

fn region(text: &str) -> Result<(String, Vec<String>), String> {
    let wrong = || "expected NAME=CH+CH, as in frontal=Fz+F3+F4".to_owned();
    let (name, channels) = text.split_once('=').ok_or_else(wrong)?;
    let channels: Vec<String> = channels.split('+').map(|label| label.trim().to_owned()).collect();
    if name.trim().is_empty() || channels.iter().any(String::is_empty) {
        return Err(wrong());
    }
    Ok((name.trim().to_owned(), channels))
}
