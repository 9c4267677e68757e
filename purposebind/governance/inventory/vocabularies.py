"""The words that vocabularies have for purposes, to tell a slip of the pen from a term.

The purposes of the W3C Data Privacy Vocabulary are those of version 2.3. This list includes material copied from the
Data Privacy Vocabulary (DPV), https://w3id.org/dpv. Copyright (c) 2026 World Wide Web Consortium,
https://www.w3.org/copyright/software-license-2023/; its text is in LICENSE-W3C.md beside this module. Of each term only
the name was copied.

The data uses are those of the default taxonomy of fideslang 3.1.4, https://github.com/ethyca/fideslang, which is
licensed under the Apache License 2.0. Of each only the key was copied.

What this module keeps:

- A word that is not in a list is told and let pass: vocabularies grow, and this list does not.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

from purposebind import Purpose

__all__ = ["DATA_SUBJECTS", "DATA_USES", "DPV_PURPOSES", "DPV_VERSION", "FIDESLANG_VERSION", "unknown_terms"]

DPV_VERSION: Final = "2.3"
FIDESLANG_VERSION: Final = "3.1.4"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DPV_PURPOSES: Final = _words(
    """
    AcademicResearch AccountManagement Advertising AgeVerification CombatClimateChange CommercialPurpose
    CommercialResearch CommunicationForCustomerCare CommunicationManagement CounterMoneyLaundering Counterterrorism
    CustomerCare CustomerClaimsManagement CustomerManagement CustomerOrderManagement CustomerRelationshipManagement
    CustomerSolvencyMonitoring DataAltruism DeliveryOfGoods DirectMarketing DisputeManagement EnforceAccessControl
    EnforceSecurity EstablishContractualAgreement FraudPreventionAndDetection FulfilmentOfContractualObligation
    FulfilmentOfObligation HumanResourceManagement IdentityAuthentication IdentityVerification
    ImproveExistingProductsAndServices ImproveHealthcare ImproveInternalCRMProcesses ImprovePublicServices
    ImproveTransportMobility IncreaseServiceRobustness InternalResourceOptimisation LegalCompliance
    MaintainFraudDatabase Marketing MemberPartnerManagement MisusePreventionAndDetection NonCommercialPurpose
    NonCommercialResearch OptimisationForConsumer OptimisationForController OptimiseUserInterface
    OrganisationComplianceManagement OrganisationGovernance OrganisationRiskManagement PaymentManagement
    Personalisation PersonalisedAdvertising PersonalisedBenefits PersonnelBehaviourMonitoring PersonnelHiring
    PersonnelManagement PersonnelMonitoring PersonnelOffboarding PersonnelOnboarding PersonnelPayment
    PersonnelPerformanceEvaluation PersonnelPerformanceManagement PersonnelPerformanceMonitoring
    PersonnelPerformancePrediction PersonnelPromotionManagement PersonnelTerminationManagement
    PersonnelWorkloadManagement PoliticalCampaign ProtectionOfIPR ProtectionOfNationalSecurity
    ProtectionOfPublicSecurity ProvideEventRecommendations ProvideOfficialStatistics
    ProvidePersonalisedRecommendations ProvideProductRecommendations PublicBenefit PublicPolicyMaking
    PublicRelations RecordManagement RecruitmentAdvertising RecruitmentApplicantBackgroundCheck
    RecruitmentApplicantCriminalBackgroundCheck RecruitmentApplicantInformationAuthentication
    RecruitmentApplicantSelection RecruitmentApplicationAnalysis RecruitmentApplicationManagement
    RecruitmentApplicationScreening RecruitmentInterviewAnalysis RecruitmentInterviewAssessment
    RecruitmentInterviewManagement RecruitmentInterviewScheduling RecruitmentManagement
    RecruitmentTargetedAdvertising RepairImpairments RequestedServiceProvision ResearchAndDevelopment
    RightsFulfilment ScientificResearch SearchFunctionalities SellDataToThirdParties SellInsightsFromData
    SellProducts SellProductsToDataSubject ServiceAccessDetermination ServiceManagement ServiceMonitoring
    ServiceOptimisation ServicePersonalisation ServiceProvision ServiceRegistration ServiceUsageAnalytics
    SocialMediaMarketing TargetedAdvertising TechnicalServiceProvision UserInterfacePersonalisation VendorManagement
    VendorPayment VendorRecordsManagement VendorSelectionAssessment Verification
    """
)
"""The terms of DPV that are purposes, without its extensions."""

DATA_USES: Final = _words(
    """
    analytics analytics.reporting analytics.reporting.ad_performance analytics.reporting.campaign_insights
    analytics.reporting.content_performance analytics.reporting.system analytics.reporting.system.performance
    collect employment employment.recruitment essential essential.fraud_detection essential.legal_obligation
    essential.service essential.service.authentication essential.service.notifications
    essential.service.notifications.email essential.service.notifications.sms essential.service.operations
    essential.service.operations.improve essential.service.operations.support essential.service.payment_processing
    essential.service.security essential.service.upgrades finance functional functional.service
    functional.service.improve functional.storage functional.storage.privacy_preferences marketing
    marketing.advertising marketing.advertising.first_party marketing.advertising.first_party.contextual
    marketing.advertising.first_party.targeted marketing.advertising.frequency_capping
    marketing.advertising.negative_targeting marketing.advertising.profiling marketing.advertising.serving
    marketing.advertising.third_party marketing.advertising.third_party.targeted marketing.communications
    marketing.communications.email marketing.communications.sms operations personalize personalize.content
    personalize.content.limited personalize.content.profiled personalize.content.profiling personalize.profiling
    personalize.system sales third_party_sharing third_party_sharing.legal_obligation train_ai_system
    """
)
"""The data uses of fideslang."""

DATA_SUBJECTS: Final = _words(
    """
    anonymous_user citizen_voter commuter consultant customer employee job_applicant next_of_kin passenger patient
    prospect shareholder supplier_vendor trainee visitor
    """
)
"""The data subjects of fideslang."""


def unknown_terms(purposes: Iterable[Purpose]) -> Iterator[str]:
    """Yield a sentence for each identifier that its vocabulary does not have, as far as it is known here.

    Example:
        >>> ads = Purpose("poster", "Advertise", dpv="Advertizing", fides="marketing.advertising")
        >>> list(unknown_terms([ads]))
        ["poster: DPV 2.3 has no purpose 'Advertizing'. Did you mean 'Advertising'?"]
    """
    for purpose in purposes:
        called = purpose.identifiers
        terms = [term for term in called.dpv if ":" not in term]  # an IRI is of a vocabulary that is not known here
        for words, known, has_none in (
            (terms, {*DPV_PURPOSES, "Purpose"}, f"DPV {DPV_VERSION} has no purpose"),
            (called.fides, DATA_USES, f"fideslang {FIDESLANG_VERSION} has no data use"),
        ):
            for word in words:
                if word not in known:
                    near = difflib.get_close_matches(word, sorted(known), 1, 0.7)
                    hint = f" Did you mean {near[0]!r}?" if near else ""
                    yield f"{purpose.name}: {has_none} {word!r}.{hint}"
